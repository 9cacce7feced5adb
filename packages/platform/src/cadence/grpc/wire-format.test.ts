import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import test from "node:test";
import { ActivityServerError } from "../activity-server.ts";
import { createCadenceServer } from "./cadence-server.ts";

/** What the server saw of one call: bytes of the one message, without the five in front of it. */
interface Seen {
  path: string;
  headers: IncomingHttpHeaders;
  message: string;
}

/** A field by its number as it stands on the wire, written by hand: the generated code must not be its own judge. */
const bytes = (field: number, content: Uint8Array | string): Buffer => {
  const data = Buffer.from(content);
  assert.ok(data.length < 128);
  return Buffer.concat([Buffer.of((field << 3) | 2, data.length), data]);
};
const number = (field: number, value: number): Buffer => Buffer.of((field << 3) | 0, value);
const message = (...fields: Buffer[]): Buffer => Buffer.concat(fields);

/** Starts a bare HTTP/2 server that answers every call with these bytes, or with a status. */
async function startBareServer(
  answer: () => Buffer | { status: number; text: string } | "silence",
  pollTimeoutMs = 20_000,
) {
  const seen: Seen[] = [];
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", () => {});
    stream.on("end", () => {
      const body = Buffer.concat(chunks).subarray(5).toString("hex");
      seen.push({ path: String(headers[":path"]), headers, message: body });
      const told = answer();
      if (told === "silence") return;
      const trailers = Buffer.isBuffer(told)
        ? { "grpc-status": "0" }
        : { "grpc-status": String(told.status), "grpc-message": told.text };
      stream.respond({ ":status": 200, "content-type": "application/grpc+proto" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers(trailers));
      if (!Buffer.isBuffer(told)) {
        stream.end();
        return;
      }
      const head = Buffer.alloc(5);
      head.writeUInt32BE(told.length, 1);
      stream.end(Buffer.concat([head, told]));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `grpc://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    seen,
    cadence: createCadenceServer({ url, token: "jwt", clientVersion: "1.2.3", pollTimeoutMs }),
    async [Symbol.asyncDispose]() {
      await this.cadence[Symbol.asyncDispose]();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const QUEUE = { domain: "shop", name: "charge", identity: "w1" };
const token = Buffer.from("t1");

test("a poll has the fields, headers and deadline that Cadence asks for, and reads a task by its numbers", async () => {
  const task = message(
    bytes(1, "t1"),
    bytes(2, message(bytes(1, "workflow"), bytes(2, "run"))),
    bytes(3, "5"),
    bytes(4, bytes(1, "main.Charge")),
    bytes(5, bytes(1, "[1]")),
    bytes(9, number(1, 30)),
    bytes(10, message(number(1, 2), Buffer.of((2 << 3) | 0, 0x80, 0xca, 0xb5, 0xee, 0x01))),
    number(11, 3),
    bytes(13, bytes(1, "half")),
    bytes(15, "shop"),
  );
  await using bare = await startBareServer(() => task);
  const found = await bare.cadence.poll(QUEUE, new AbortController().signal);
  assert.deepEqual(
    {
      ...found,
      token: String(Buffer.from(found?.token ?? [])),
      input: String(Buffer.from(found?.input ?? [])),
    },
    {
      token: "t1",
      type: "main.Charge",
      activityId: "5",
      workflowId: "workflow",
      runId: "run",
      input: "[1]",
      attempt: 3,
      startToCloseMs: 30_000,
      heartbeatDetails: new Uint8Array(Buffer.from("half")),
      heartbeatTimeoutMs: 2500,
    },
  );
  const [seen] = bare.seen;
  assert.equal(seen?.path, "/uber.cadence.api.v1.WorkerAPI/PollForActivityTask");
  const list = message(bytes(1, "charge"), number(2, 1));
  assert.equal(seen?.message, message(bytes(1, "shop"), bytes(2, list), bytes(3, "w1")).toString("hex"));
  assert.match(String(seen?.headers["grpc-timeout"]), /^\d+m$/);
  for (const [name, value] of Object.entries({
    "rpc-caller": "cs-cadence-poller",
    "rpc-service": "cadence-frontend",
    "rpc-encoding": "proto",
    "cadence-client-name": "sous",
    "cadence-client-library-version": "1.2.3",
    "cadence-authorization": "jwt",
    te: "trailers",
  })) {
    assert.equal(seen?.headers[name], value, name);
  }
});

test("answers and heartbeats carry token, payload and identity under their numbers", async () => {
  let reply = message();
  await using bare = await startBareServer(() => reply);
  const { cadence } = bare;
  await cadence.complete(token, Buffer.from("{}"), "w1");
  await cadence.fail(token, { reason: "error", details: Buffer.from("why") }, "w1");
  await cadence.cancelled(token, Buffer.from("bye"), "w1");
  assert.equal(await cadence.heartbeat(token, Buffer.from("half"), "w1"), false);
  reply = number(1, 1);
  assert.equal(await cadence.heartbeat(token, new Uint8Array(0), "w1"), true);
  const of = (second: Buffer) => message(bytes(1, "t1"), bytes(2, second), bytes(3, "w1")).toString("hex");
  assert.deepEqual(
    bare.seen.map(({ path, message: sent }) => [path.split("/").at(-1), sent]),
    [
      ["RespondActivityTaskCompleted", of(bytes(1, "{}"))],
      ["RespondActivityTaskFailed", of(message(bytes(1, "error"), bytes(2, "why")))],
      ["RespondActivityTaskCanceled", of(bytes(1, "bye"))],
      ["RecordActivityTaskHeartbeat", of(bytes(1, "half"))],
      ["RecordActivityTaskHeartbeat", of(message())],
    ],
  );
});

test("errors say whether the attempt is over, the server away, or the call wrong", async () => {
  let status = 0;
  await using bare = await startBareServer(() => ({ status, text: "no" }));
  const faultOf = async (code: number): Promise<string> => {
    status = code;
    const error = await bare.cadence.complete(token, token, "w1").catch((caught: unknown) => caught);
    assert.ok(error instanceof ActivityServerError);
    return error.fault;
  };
  assert.deepEqual(await Promise.all([5].map(faultOf)), ["gone"]);
  assert.equal(await faultOf(3), "refused");
  for (const code of [4, 7, 8, 9, 10, 12, 13, 14, 16])
    assert.equal(await faultOf(code), "unavailable", String(code));
});

test("a poll without a task, past its deadline or given up brings nothing and is no error", async () => {
  let answer: Buffer | "silence" = message();
  await using bare = await startBareServer(() => answer, 500);
  const never = new AbortController();
  assert.equal(await bare.cadence.poll(QUEUE, never.signal), undefined);
  answer = "silence";
  assert.equal(await bare.cadence.poll(QUEUE, never.signal), undefined, "past its deadline");
  const stopping = new AbortController();
  setTimeout(() => stopping.abort(), 20);
  assert.equal(await bare.cadence.poll(QUEUE, stopping.signal), undefined, "given up");
});

test("a server that is not there is unavailable", async () => {
  await using cadence = createCadenceServer({ url: "grpc://127.0.0.1:1", token: "", clientVersion: "1" });
  await assert.rejects(cadence.poll(QUEUE, new AbortController().signal), { fault: "unavailable" });
});

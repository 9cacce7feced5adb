import assert from "node:assert/strict";
import test from "node:test";
import {
  type ActivationPage,
  type ActivationRecord,
  type ErrorReply,
  type FunctionLogsPage,
  type Invocation,
  type LogsReply,
  newActivationId,
} from "@sous/contract";
import type { TerminalRecord } from "@sous/store";
import { LiveActivation } from "../activations/live-activation.ts";
import { activation, ACTIVATIONS, deploy, FUNCTIONS } from "./testing/sample-function.ts";
import { startControl } from "./testing/start-control.ts";

const outcome = ({ status, body }: { status: number; body: unknown }) => [
  status,
  (body as ErrorReply).error.code,
];
const ended = (record: ActivationRecord): TerminalRecord => ({
  ...record,
  status: "success",
  start_ms: record.enqueued_at_ms,
  end_ms: record.enqueued_at_ms + 5,
  duration_ms: 5,
});

function invocation(over: Partial<Invocation> = {}): Invocation {
  return {
    activation_id: newActivationId(),
    request_id: "req_12345678",
    tenant: "t_default",
    namespace: "default",
    ref: { function: "hello", version: 1 },
    trigger: { type: "api", source: {} },
    principal: { sub: "anonymous", roles: ["admin"] },
    deadline_ms: 0,
    mode: "async",
    expires_at_ms: Date.now() + 60_000,
    attempt: 1,
    enqueued_at_ms: Date.now(),
    event_json: "null",
    ...over,
  } as Invocation;
}

interface SentEvent {
  event: string;
  id: string | undefined;
  data: Record<string, unknown>;
}

/** Reads server-sent events until the stream ends, or as many as asked for. */
async function readEvents(
  url: string,
  headers: Record<string, string> = {},
  max = Infinity,
): Promise<SentEvent[]> {
  const response = await fetch(url, { headers });
  assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  const events: SentEvent[] = [];
  let rest = "";
  const decoder = new TextDecoder();
  for await (const part of response.body as ReadableStream<Uint8Array>) {
    const blocks = (rest + decoder.decode(part, { stream: true })).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks.filter((text) => !text.startsWith(":"))) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
      const data = JSON.parse(field("data") ?? "null") as Record<string, unknown>;
      events.push({ event: field("event") ?? "", id: field("id"), data });
    }
    // Leaving the loop cancels the stream.
    if (events.length >= max) return events;
  }
  return events;
}

test("activations are listed newest first and filtered", async () => {
  await using control = await startControl();
  const records = [
    activation({ enqueued_at_ms: 1000, function: "hello" }),
    activation({ enqueued_at_ms: 2000, function: "other", trigger: { type: "http", source: {} } }),
    activation({ enqueued_at_ms: 3000, function: "hello" }),
  ];
  for (const record of records) await control.store.activations.create(record);
  await control.store.activations.finish(ended(records[2] as ActivationRecord));
  const ids = async (query: string) =>
    (await control.call<ActivationPage>("GET", `${ACTIVATIONS}${query}`)).body.items.map(
      ({ activation_id }) => records.findIndex((record) => record.activation_id === activation_id),
    );
  assert.deepEqual(await ids(""), [2, 1, 0]);
  assert.deepEqual(await ids("?function=hello"), [2, 0]);
  assert.deepEqual(await ids("?status=success"), [2]);
  assert.deepEqual(await ids("?trigger=http"), [1]);
  assert.deepEqual(await ids("?since=2000"), [2, 1]);
  assert.deepEqual(await ids("?limit=1"), [2]);
  assert.deepEqual(outcome(await control.call("GET", `${ACTIVATIONS}?status=done`)), [
    400,
    "CS_VALIDATION_FAILED",
  ]);
});

test("an activation is read live before it is stored, and only by its own tenant", async () => {
  await using control = await startControl();
  const live = new LiveActivation(invocation(), 1, "isolate");
  live.status = "running";
  control.live.add(live);
  const id = live.invocation.activation_id;
  const read = await control.call<ActivationRecord>("GET", `${ACTIVATIONS}/${id}`);
  assert.deepEqual([read.status, read.body.status], [200, "running"]);
  assert.deepEqual(outcome(await control.call("GET", `/v1/tenants/t_others/activations/${id}`)), [
    404,
    "CS_NOT_FOUND",
  ]);
  assert.deepEqual(outcome(await control.call("GET", `${ACTIVATIONS}/${newActivationId()}`)), [
    404,
    "CS_NOT_FOUND",
  ]);
  assert.deepEqual(outcome(await control.call("GET", `${ACTIVATIONS}/nonsense`)), [
    400,
    "CS_VALIDATION_FAILED",
  ]);
});

test("logs are read by cursor; the cursor is null once an ended activation has no more", async () => {
  await using control = await startControl();
  const record = activation();
  await control.store.activations.create(record);
  await control.store.logs.append("t_default", record.activation_id, ["a", "b", "c"]);
  const path = `${ACTIVATIONS}/${record.activation_id}/logs`;
  const read = async (query: string) => (await control.call<LogsReply>("GET", path + query)).body;
  assert.deepEqual(await read("?limit=2"), { chunks: ["a", "b"], cursor: "2" });
  assert.deepEqual(await read("?cursor=2"), { chunks: ["c"], cursor: "3" });
  assert.deepEqual(await read("?cursor=3"), { chunks: [], cursor: "3" });
  await control.store.activations.finish(ended(record));
  assert.deepEqual(await read("?cursor=2"), { chunks: ["c"], cursor: null });
  assert.deepEqual(await read("?limit=3"), { chunks: ["a", "b", "c"], cursor: "3" });
  for (const bad of ["?cursor=-1", "?cursor=x", "?limit=0", "?limit=501"]) {
    assert.deepEqual(outcome(await control.call("GET", path + bad)), [400, "CS_VALIDATION_FAILED"]);
  }
});

test("a live activation is followed line by line until its end", async () => {
  await using control = await startControl();
  const live = new LiveActivation(invocation(), 1, "isolate");
  live.status = "running";
  live.log("first");
  control.live.add(live);
  const id = live.invocation.activation_id;
  const reading = readEvents(`${control.url}${ACTIVATIONS}/${id}/logs?follow=1`);
  const timer = setInterval(() => {
    if (live.logs.length < 4) live.log(`line ${live.logs.length}`);
    else {
      clearInterval(timer);
      live.close(ended(live.record()));
    }
  }, 10);
  const events = await reading;
  assert.deepEqual(
    events.map(({ event, id, data }) => [event, id, data["text"] ?? data["status"]]),
    [
      ["chunk", "1", "first"],
      ["chunk", "2", "line 1"],
      ["chunk", "3", "line 2"],
      ["chunk", "4", "line 3"],
      ["end", undefined, "success"],
    ],
  );
});

test("an activation of another process is followed through the store; a client goes on where it was", async () => {
  await using control = await startControl();
  const record = activation();
  await control.store.activations.create(record);
  await control.store.logs.append("t_default", record.activation_id, ["a", "b"]);
  const url = `${control.url}${ACTIVATIONS}/${record.activation_id}/logs?follow=true`;
  const reading = readEvents(url, { "last-event-id": "1" });
  await control.store.logs.append("t_default", record.activation_id, ["c"]);
  await control.store.activations.finish(ended(record));
  assert.deepEqual(
    (await reading).map(({ data }) => data["text"] ?? data["status"]),
    ["b", "c", "success"],
  );
  assert.deepEqual(outcome(await control.call("GET", `${ACTIVATIONS}/${newActivationId()}/logs?follow=1`)), [
    404,
    "CS_NOT_FOUND",
  ]);
});

test("closing control ends open streams", async () => {
  const control = await startControl();
  const record = activation();
  await control.store.activations.create(record);
  const reading = readEvents(`${control.url}${ACTIVATIONS}/${record.activation_id}/logs?follow=1`);
  await control.store.logs.append("t_default", record.activation_id, ["a"]);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await control[Symbol.asyncDispose]();
  assert.ok((await reading).length <= 1);
});

test("the logs of a function are those of its activations, newest first, or followed", async () => {
  await using control = await startControl();
  await deploy(control, "hello");
  const first = activation({ enqueued_at_ms: 1000 });
  const second = activation({ enqueued_at_ms: 2000 });
  for (const record of [first, second]) {
    await control.store.activations.create(record);
    await control.store.logs.append("t_default", record.activation_id, [`line of ${record.enqueued_at_ms}`]);
  }
  await control.store.activations.finish(ended(first));
  const page = await control.call<FunctionLogsPage>("GET", `${FUNCTIONS}/hello/logs`);
  assert.deepEqual(
    page.body.items.map(({ chunks, status, cursor }) => [chunks, status, cursor]),
    [
      [["line of 2000"], "queued", "1"],
      [["line of 1000"], "success", null],
    ],
  );
  const events = await readEvents(`${control.url}${FUNCTIONS}/hello/logs?follow=1&since=1000`, {}, 3);
  assert.deepEqual(
    events.map(({ event, data }) => [event, data["activation_id"], data["text"]]),
    [
      ["chunk", first.activation_id, "line of 1000"],
      ["end", first.activation_id, undefined],
      ["chunk", second.activation_id, "line of 2000"],
    ],
  );
  assert.deepEqual(outcome(await control.call("GET", `${FUNCTIONS}/missing/logs`)), [404, "CS_NOT_FOUND"]);
});

test("a running activation is asked to end, a queued one leaves the queue, an ended one conflicts", async () => {
  await using control = await startControl();
  const live = new LiveActivation(invocation(), 1, "isolate");
  live.status = "running";
  control.live.add(live);
  let asked: LiveActivation | undefined;
  control.live.onCancel((activation) => (asked = activation));
  const cancel = (id: string) => control.call("POST", `${ACTIVATIONS}/${id}:cancel`);
  const running = await cancel(live.invocation.activation_id);
  assert.deepEqual([running.status, running.body["status"], asked], [202, "running", live]);

  const record = activation();
  await control.store.activations.create(record);
  const body = invocation({ activation_id: record.activation_id });
  await control.codeq.publish(
    {
      id: record.activation_id,
      topic: "cs.invoke",
      tenant: "t_default",
      lane: "default/hello",
      body,
      attempt: 1,
      enqueued_at_ms: record.enqueued_at_ms,
      due_at_ms: 0,
      expires_at_ms: body.expires_at_ms,
    },
    { depthMax: 10, durable: false },
  );
  const queued = await cancel(record.activation_id);
  assert.deepEqual([queued.status, queued.body["status"]], [202, "cancelled"]);
  const stored = await control.call<ActivationRecord>("GET", `${ACTIVATIONS}/${record.activation_id}`);
  assert.deepEqual([stored.body.status, stored.body.error?.type], ["cancelled", "Cancelled"]);
  assert.deepEqual(outcome(await cancel(record.activation_id)), [409, "CS_CONFLICT"]);
  assert.deepEqual(outcome(await cancel(newActivationId())), [404, "CS_NOT_FOUND"]);
});

test("an execution is an activation in nanofaas's shape", async () => {
  await using control = await startControl();
  const record = activation();
  await control.store.activations.create(record);
  const result = { statusCode: 200, headers: {}, body: '{"a":1}', isBase64Encoded: false };
  await control.store.activations.finish({ ...ended(record), result });
  const answer = await control.call("GET", `/v1/executions/${record.activation_id}`);
  assert.deepEqual(answer.body, {
    executionId: record.activation_id,
    status: "success",
    startedAt: record.enqueued_at_ms,
    finishedAt: record.enqueued_at_ms + 5,
    output: { a: 1 },
    error: null,
  });
});

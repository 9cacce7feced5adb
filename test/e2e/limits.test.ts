import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { LIMITS } from "@sous/contract";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { startServer, type TestServer } from "../support/server.ts";

/** Bounds that would take long or many calls to reach are lowered; the others are the defaults. */
const SETTINGS = {
  "limits.web_timeout_max_ms": 1500,
  "limits.sync_wait_max_ms": 300,
  "limits.sync_depth_max": 5,
  "limits.async_depth_max": 5,
};
/** More than an invoker takes of one version before its places are free. */
const CALLS_AT_ONCE = 120;

describe("limits over HTTP", () => {
  const data = mkdtempSync(join(tmpdir(), "sous-limits-"));
  let server: TestServer;
  let api: Api;

  before(async () => {
    server = await startServer({ settings: { data, ...SETTINGS } });
    api = createApi(server.url);
    await deploy(
      "echo",
      "export default (event) => ({ size: event?.text?.length ?? event?.rawQueryString?.length });",
    );
    await deploy("sized", 'export default (event) => ({ body: "x".repeat(event.size) });');
    await deploy("never", "export default () => new Promise(() => {});");
    const slow = "export default () => new Promise((resolve) => setTimeout(resolve, 1000, 1));";
    await deploy("slow", slow, { maxConcurrency: 1, timeoutMs: 30_000 });
  });

  after(async () => {
    await server[Symbol.asyncDispose]();
    rmSync(data, { recursive: true, force: true });
  });

  async function deploy(name: string, code: string, limits: Record<string, number> = {}): Promise<void> {
    await api.deploy({ name, files: { "function.js": code, "manifest.json": manifest({ limits }) } });
  }

  const codeOf = async (response: Response): Promise<string> =>
    ((await response.json()) as { error: { code: string } }).error.code;
  const web = (name: string, rest = ""): string => `/v1/web/t_default/default/${name}/prod${rest}`;

  test("a body of 6 MiB is taken, one byte more is 413", async () => {
    const room = LIMITS.requestBodyBytesMax - JSON.stringify({ text: "" }).length;
    const path = "/v1/functions/echo@prod:invoke";
    const taken = await api.call("POST", path, { text: "x".repeat(room) });
    assert.deepEqual([taken.status, await taken.json()], [200, { size: room }]);
    const refused = await api.call("POST", path, { text: "x".repeat(room + 1) });
    assert.deepEqual([refused.status, await codeOf(refused)], [413, "CS_PAYLOAD_TOO_LARGE"]);
  });

  test("a query of 16 KiB is taken, one byte more is 414", async () => {
    const query = "q".repeat(LIMITS.queryBytesMax);
    const taken = await api.call("GET", web("echo", `?${query}`));
    assert.deepEqual([taken.status, await taken.json()], [200, { size: query.length }]);
    const refused = await api.call("GET", web("echo", `?${query}q`));
    assert.deepEqual([refused.status, await codeOf(refused)], [414, "CS_QUERY_TOO_LARGE"]);
  });

  test("headers over 64 KiB are 431", async () => {
    const headers = (bytes: number) => ({ "x-large": "h".repeat(bytes) });
    assert.equal((await api.call("GET", web("echo"), undefined, headers(60 * 1024))).status, 200);
    const refused = await api.call("GET", web("echo"), undefined, headers(LIMITS.headersBytesMax));
    assert.deepEqual([refused.status, await codeOf(refused)], [431, "CS_HEADERS_TOO_LARGE"]);
  });

  test("a result over 256 KiB is whole for the caller and cut and marked in the record", async () => {
    const answer = await api.invoke("sized", { size: 2 * LIMITS.resultRecordBytesMax });
    assert.equal(answer.result?.body.length, 2 * LIMITS.resultRecordBytesMax);
    const record = await api.activation(answer.activation_id);
    assert.equal(record["result_truncated"], true);
    assert.equal((record["result"] as { body: string }).body.length, LIMITS.resultRecordBytesMax);
  });

  test("a result of 6 MiB is taken, one byte more is ResultTooLarge", async () => {
    assert.equal((await api.invoke("sized", { size: LIMITS.resultAnswerBytesMax })).status, "success");
    const refused = await api.invoke("sized", { size: LIMITS.resultAnswerBytesMax + 1 });
    assert.equal(refused.error?.type, "ResultTooLarge");
  });

  test("a synchronous caller hears of the timeout itself, at the bound for waiting", async () => {
    const response = await api.call("GET", web("never"));
    const { error } = (await response.json()) as {
      error: { code: string; details: { activation_id: string } };
    };
    assert.deepEqual([response.status, error.code], [504, "CS_RUNTIME_TIMEOUT"]);
    const record = await api.activation(error.details.activation_id);
    const waited = Number(record["deadline_ms"]) - Number(record["enqueued_at_ms"]);
    assert.equal(waited, SETTINGS["limits.web_timeout_max_ms"]);
  });

  test("past the depth of its queue a function refuses synchronous calls, and waiting ones grow too old", async () => {
    const path = "/v1/functions/slow@prod:invoke";
    const all = await Promise.all(
      Array.from({ length: CALLS_AT_ONCE }, async () => {
        const response = await api.call("POST", path, {});
        const { status, headers } = response;
        await response.arrayBuffer();
        return { status, reason: headers.get("x-queue-reject-reason"), after: headers.get("retry-after") };
      }),
    );
    const refused = all.filter(({ status }) => status === 429);
    assert.ok(refused.some(({ reason }) => reason === "depth"));
    assert.ok(refused.some(({ reason }) => reason === "timeout"));
    assert.ok(refused.every(({ after }) => Number(after) >= 1));
    assert.ok(all.some(({ status }) => status === 200));
  });

  test("past its depth the queue of a function refuses asynchronous calls with 429 and a reason", async () => {
    const responses = await Promise.all(Array.from({ length: CALLS_AT_ONCE }, () => api.enqueue("slow", {})));
    const refused = responses.filter(({ status }) => status === 429);
    assert.ok(refused.length > 0);
    assert.equal(refused[0]?.headers.get("x-queue-reject-reason"), "depth");
    assert.equal(await codeOf(refused[0] as Response), "CS_QUEUE_FULL");
    const taken = responses.filter(({ status }) => status === 202).length;
    assert.equal(taken, responses.length - refused.length);
    assert.ok(taken >= SETTINGS["limits.async_depth_max"]);
  });

  test("a failing asynchronous activation is tried three times in all", async () => {
    await deploy("failing", 'export default () => { throw new Error("no"); };');
    const response = await api.enqueue("failing", {});
    const { activation_id: id } = (await response.json()) as { activation_id: string };
    await until(async () => (await api.activation(id)).status === "error", "the last attempt", 30_000);
    const record = await api.activation(id);
    assert.equal(record["attempt"], LIMITS.asyncAttemptsMax);
    assert.equal((record["attempts"] as unknown[]).length, LIMITS.asyncAttemptsMax - 1);
  });
});

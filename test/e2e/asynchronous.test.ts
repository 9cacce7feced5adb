import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { readJournal } from "../support/read-journal.ts";
import { scratchFolder } from "../support/scratch.ts";
import { serverEvents } from "../support/server-events.ts";
import { startServer, type TestServer } from "../support/server.ts";

const KV = { kv: { prefixes: ["k/"], ops: ["get", "set"] } };
const QUICK = { max_attempts: 3, backoff_ms: 40, backoff_max_ms: 60 };

interface Attempt {
  attempt: number;
  status: string;
  start_ms: number;
  end_ms: number;
  error: { type: string; message: string };
}

interface Activation {
  status: string;
  attempt: number;
  attempts: Attempt[];
  error?: { type: string; message: string };
  result?: { statusCode: number; body: string };
}

const files = (code: string, limits: Record<string, number> = {}): Record<string, string> => ({
  "function.js": code,
  "manifest.json": manifest({ capabilities: KV, limits }),
});

describe("asynchronous activations", () => {
  const data = scratchFolder();
  let server: TestServer;
  let api: Api;
  /** Activations that end in the dead-letter queue, with a part of the reason. */
  const dead = new Map<string, RegExp>();

  before(async () => {
    server = await startServer({ settings: { data: data.path } });
    api = createApi(server.url);
    await api.deploy({ name: "get-key", files: files("export default (key) => cs.kv.get(key);") });
    await api.deploy({
      name: "set-key",
      files: files("export default ({ key, value }) => cs.kv.set(key, value);"),
    });
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    data[Symbol.dispose]();
  });

  const getKey = async (key: string) => (await api.invoke("get-key", key)).result?.body;
  const setKey = (key: string, value: unknown) => api.invoke("set-key", { key, value });

  async function enqueue(name: string, event: unknown = null): Promise<string> {
    const response = await api.enqueue(name, event);
    assert.equal(response.status, 202, await response.clone().text());
    return ((await response.json()) as { activation_id: string }).activation_id;
  }

  const read = async (id: string) => (await api.activation(id)) as unknown as Activation;

  async function ended(id: string): Promise<Activation> {
    let found: Activation | undefined;
    await until(async () => {
      found = await read(id);
      return found.status !== "queued" && found.status !== "running";
    }, "an end");
    return found as Activation;
  }

  async function linesOf(id: string): Promise<string[]> {
    const path = `/v1/tenants/t_default/activations/${id}/logs`;
    return (await api.expect<{ chunks: string[] }>(200, "GET", path)).chunks;
  }

  const cancel = (id: string): Promise<Response> =>
    api.call("POST", `/v1/tenants/t_default/activations/${id}:cancel`);

  test("a failed attempt is tried again after a pause, and the record keeps each", async () => {
    const code = `export default (event, ctx) => {
      console.log("attempt", ctx.attempt);
      if (ctx.attempt < 3) throw new Error("not yet " + ctx.attempt);
      return "done";
    };`;
    await api.deploy({ name: "third-time", files: files(code), config: { retry: QUICK } });
    const id = await enqueue("third-time");
    const record = await ended(id);
    assert.equal(record.status, "success");
    assert.equal(record.attempt, 3);
    assert.deepEqual(
      record.attempts.map(({ attempt, status, error }) => [attempt, status, error.type, error.message]),
      [
        [1, "error", "Exception", "not yet 1"],
        [2, "error", "Exception", "not yet 2"],
      ],
    );
    for (const { start_ms, end_ms } of record.attempts) assert.ok(end_ms >= start_ms);
    assert.equal(record.error, undefined);
    assert.deepEqual(await linesOf(id), ["[info] attempt 1", "[info] attempt 2", "[info] attempt 3"]);
  });

  test("a follower hears the lines of every attempt, numbered through", async () => {
    const code = `export default async (event, ctx) => {
      console.log("one of", ctx.attempt);
      console.log("two of", ctx.attempt);
      while ((await cs.kv.get("k/gate")) !== true) await new Promise((resolve) => setTimeout(resolve, 20));
      if (ctx.attempt < 2) throw new Error("again");
    };`;
    await api.deploy({ name: "followed", files: files(code), config: { retry: QUICK } });
    const id = await enqueue("followed");
    const path = `/v1/tenants/t_default/activations/${id}/logs?follow=1`;
    const stream = serverEvents(await api.call("GET", path));
    assert.equal((await stream.next()).value?.data["text"], "[info] one of 1");
    await setKey("k/gate", true);
    const heard = [];
    for await (const { event, data } of stream)
      heard.push(event === "end" ? data["status"] : [data["index"], data["text"]]);
    assert.deepEqual(heard, [
      [1, "[info] two of 1"],
      [2, "[info] one of 2"],
      [3, "[info] two of 2"],
      "success",
    ]);
  });

  test("after the last attempt the work is dead, with its reason", async () => {
    await api.deploy({
      name: "hopeless",
      files: files('export default () => { throw new RangeError("never"); };'),
      config: { retry: QUICK },
    });
    const id = await enqueue("hopeless");
    const record = await ended(id);
    assert.equal(record.status, "error");
    assert.equal(record.attempt, 3);
    assert.equal(record.attempts.length, 2);
    assert.deepEqual([record.error?.type, record.error?.message], ["Exception", "RangeError: never"]);
    dead.set(id, /attempt 3: Exception: RangeError: never/);
  });

  test("work whose next attempt would come too late is dead with its own error, at once", async () => {
    await api.deploy({
      name: "outlived",
      files: files('export default () => { throw new RangeError("never"); };'),
      config: { retry: { backoff_ms: 3_600_000, backoff_max_ms: 3_600_000, max_age_ms: 2000 } },
    });
    const id = await enqueue("outlived");
    const record = await ended(id);
    assert.deepEqual([record.attempt, record.error?.message], [1, "RangeError: never"]);
    dead.set(id, /attempt 1: Exception: RangeError: never/);
  });

  test("timeouts are tried again; what is denied and what answers 500 is not", async () => {
    const code = `export default async (event, ctx) => {
      if (event === "slow") await new Promise(() => setTimeout(() => {}, 60000));
      if (event === "denied") await cs.kv.get("other/key");
      return { statusCode: 503, body: "busy" };
    };`;
    await api.deploy({
      name: "varied",
      files: files(code, { timeoutMs: 200 }),
      config: { retry: { ...QUICK, max_attempts: 2 } },
    });
    const [slow, denied, busy] = [
      await enqueue("varied", "slow"),
      await enqueue("varied", "denied"),
      await enqueue("varied"),
    ];
    const [ofSlow, ofDenied, ofBusy] = [await ended(slow), await ended(denied), await ended(busy)];
    assert.deepEqual(
      [ofSlow.status, ofSlow.attempt, ofSlow.attempts[0]?.error.type],
      ["timeout", 2, "Timeout"],
    );
    assert.deepEqual(
      [ofDenied.status, ofDenied.attempt, ofDenied.error?.type],
      ["error", 1, "CapabilityDenied"],
    );
    assert.deepEqual([ofBusy.status, ofBusy.attempt, ofBusy.result?.statusCode], ["success", 1, 503]);
    dead.set(slow, /attempt 2: Timeout/).set(denied, /attempt 1: CapabilityDenied/);
  });

  test("work waits for a free isolate without using up its own time", async () => {
    const code = "export default (n) => new Promise((resolve) => setTimeout(() => resolve(n), 250));";
    await api.deploy({ name: "one-by-one", files: files(code, { timeoutMs: 1500, maxConcurrency: 1 }) });
    const ids: string[] = [];
    for (let n = 0; n < 12; n++) ids.push(await enqueue("one-by-one", n));
    const records = await Promise.all(ids.map(ended));
    for (const record of records) assert.deepEqual([record.status, record.attempt], ["success", 1]);
    const starts = await Promise.all(ids.map(async (id) => Number((await api.activation(id))["start_ms"])));
    assert.deepEqual(
      starts,
      starts.toSorted((a, b) => a - b),
      "first come, first started",
    );
  });

  test("queued work is cancelled before it starts, running work while it runs, ended work not at all", async () => {
    const code = `export default async (n) => {
      await cs.kv.set("k/started-" + n, true);
      while ((await cs.kv.get("k/release")) !== true) await new Promise((resolve) => setTimeout(resolve, 20));
    };`;
    await api.deploy({ name: "held", files: files(code, { timeoutMs: 30_000, maxConcurrency: 1 }) });
    const [running, queued, last] = [
      await enqueue("held", 1),
      await enqueue("held", 2),
      await enqueue("held", 3),
    ];
    await until(async () => (await read(running)).status === "running", "the first to run");

    const ofQueued = await cancel(queued);
    assert.equal(ofQueued.status, 202);
    assert.deepEqual(await ofQueued.json(), { activation_id: queued, status: "cancelled" });
    assert.equal((await read(queued)).status, "cancelled");
    assert.equal((await cancel(queued)).status, 409);

    assert.equal((await cancel(running)).status, 202);
    const stopped = await ended(running);
    assert.deepEqual([stopped.status, stopped.error?.type], ["cancelled", "Cancelled"]);
    await setKey("k/release", true);
    assert.equal((await ended(last)).status, "success");
    assert.equal((await cancel(last)).status, 409);
    const started = await Promise.all([1, 2, 3].map((n) => getKey(`k/started-${n}`)));
    assert.deepEqual(started, ["true", "", "true"]);
    assert.deepEqual(await linesOf(queued), []);
    const unknown = "00000000-0000-4000-8000-000000000000";
    assert.equal((await cancel(unknown)).status, 404);
  });

  test("work that pauses between two attempts is cancelled too", async () => {
    await api.deploy({
      name: "pausing",
      files: files('export default () => { throw new Error("again"); };'),
      config: { retry: { max_attempts: 3, backoff_ms: 3_600_000, backoff_max_ms: 3_600_000 } },
    });
    const id = await enqueue("pausing");
    await until(async () => (await read(id)).attempt === 2, "the pause");
    assert.equal((await cancel(id)).status, 202);
    const record = await read(id);
    assert.deepEqual([record.status, record.attempts.length], ["cancelled", 1]);
  });

  test("work that grows too old in the queue ends as expired and never runs", async () => {
    const code = "export default (ms) => new Promise((resolve) => setTimeout(resolve, ms));";
    await api.deploy({
      name: "ageing",
      files: files(code, { timeoutMs: 10_000, maxConcurrency: 1 }),
      config: { retry: { max_age_ms: 300 } },
    });
    const first = await enqueue("ageing", 1200);
    const second = await enqueue("ageing", 1);
    const record = await ended(second);
    assert.deepEqual([record.status, record.error?.type, record.attempts], ["error", "Expired", []]);
    dead.set(second, /^attempt 1: Expired: /);
    assert.equal((await ended(first)).status, "success");
  });

  test("queued work of a deleted function ends in an error", async () => {
    const code = "export default (ms) => new Promise((resolve) => setTimeout(resolve, ms));";
    await api.deploy({ name: "deleted", files: files(code, { maxConcurrency: 1 }) });
    const first = await enqueue("deleted", 600);
    const second = await enqueue("deleted", 1);
    await until(async () => (await read(first)).status === "running", "the first to run");
    await api.expect(200, "DELETE", `${api.scope()}/deleted`);
    const record = await ended(second);
    assert.deepEqual([record.status, record.error?.type], ["error", "BundleError"]);
    assert.equal((await ended(first)).status, "success", "what runs may end");
    dead.set(second, /BundleError/);
  });

  test("the short forms queue and tell too", async () => {
    await api.deploy({ name: "short-form", files: files("export default (event) => ({ got: event });") });
    const response = await api.call("POST", "/v1/functions/short-form@prod:enqueue", { n: 1 });
    assert.equal(response.status, 202);
    const { executionId } = (await response.json()) as { executionId: string };
    assert.equal(response.headers.get("x-execution-id"), executionId);
    await ended(executionId);
    const execution = await api.expect<{ status: string; output: unknown }>(
      200,
      "GET",
      `/v1/executions/${executionId}`,
    );
    assert.equal(execution.status, "success");
    assert.deepEqual(execution.output, { got: { n: 1 } });
    const web = await api.call("POST", "/v1/web/t_default/default/short-form/prod/", undefined, {
      prefer: "respond-async",
    });
    assert.equal(web.status, 202);
    await ended(((await web.json()) as { activation_id: string }).activation_id);
  });

  test("at the end the queue is empty, and on disk lie the dead with their reasons, no more", async () => {
    const text = await (await api.call("GET", "/metrics")).text();
    for (const state of ["ready", "delayed", "claimed"]) {
      assert.match(text, new RegExp(`cs_codeq_depth\\{topic="cs.invoke",state="${state}"\\} 0`), state);
    }
    await server[Symbol.asyncDispose]();
    const entries = await readJournal(data.path);
    assert.deepEqual(entries.map(({ id }) => id).sort(), [...dead.keys()].sort());
    for (const { id, dead: isDead, dead_reason } of entries) {
      assert.equal(isDead, true);
      assert.match(dead_reason ?? "", dead.get(id) ?? /^$/);
    }
  });
});

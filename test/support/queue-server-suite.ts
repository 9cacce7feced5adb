import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { CodeQ } from "@sous/codeq";
import { TOPICS } from "@sous/contract";
import { type Api, createApi, type InvokeAnswer, manifest, until } from "./api.ts";
import { scratchFolder, skipUnlessRequired } from "./scratch.ts";
import { startServer, type TestServer } from "./server.ts";

/** A server that holds the queue, and can be taken away for a while. */
export interface QueueServer extends AsyncDisposable {
  readonly url: string;
  kill(): Promise<void>;
  restart(): Promise<void>;
}

export interface QueueServerSuite {
  /** The server's name. */
  name: string;
  /** Why there is none to start here. */
  missing: string | undefined;
  start: () => Promise<QueueServer>;
  openQueue: (url: string) => Promise<CodeQ<unknown, unknown>>;
  /** The URL's beginning up to the login. */
  scheme: string;
}

const WORK = {
  "manifest.json": manifest({ capabilities: { kv: { prefixes: ["runs/"], ops: ["get", "set"] } } }),
  "function.js": `export default async ({ key, failUntil = 0, waitMs = 0 }, ctx) => {
    const runs = ((await cs.kv.get("runs/" + key)) ?? 0) + 1;
    await cs.kv.set("runs/" + key, runs);
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    if (ctx.attempt < failUntil) throw new Error("not yet " + ctx.attempt);
    return { runs };
  };`,
};
const RETRY = { max_attempts: 3, backoff_ms: 40, backoff_max_ms: 60 };
/** Declares what a platform does whose queue lies in a server, for every kind of server. */
export function describeQueueServer({ name, missing, start, openQueue, scheme }: QueueServerSuite): void {
  test(`the platform on a ${name} queue`, (context) => {
    if (missing !== undefined) skipUnlessRequired(context, missing);
  });
  if (missing !== undefined) return;

  describe(`a platform whose queue lies in ${name}`, () => {
    const data = scratchFolder();
    let engine: QueueServer;
    let server: TestServer;
    let api: Api;

    before(async () => {
      engine = await start();
      server = await startServer({ settings: { data: data.path, codeq: engine.url } });
      api = createApi(server.url);
      await api.deploy({ name: "work", files: WORK, config: { retry: RETRY } });
    });
    after(async () => {
      await server[Symbol.asyncDispose]();
      await engine[Symbol.asyncDispose]();
      data[Symbol.dispose]();
    });

    const send = (event: unknown, mode: string, headers: Record<string, string> = {}): Promise<Response> =>
      api.call("POST", `${api.scope()}/work:invoke`, { ref: { alias: "prod" }, mode, event }, headers);

    async function enqueue(event: unknown, headers?: Record<string, string>): Promise<string> {
      const response = await send(event, "async", headers);
      assert.equal(response.status, 202, await response.clone().text());
      return ((await response.json()) as { activation_id: string }).activation_id;
    }

    async function ended(id: string): Promise<Record<string, unknown> & { status: string }> {
      let record = await api.activation(id);
      await until(async () => {
        record = await api.activation(id);
        return record.status !== "queued" && record.status !== "running";
      }, "an end");
      return record;
    }

    const depth = async (): Promise<number> => {
      const metrics = await (await api.call("GET", "/metrics")).text();
      const counts = [...metrics.matchAll(/^cs_codeq_depth\{.*\} (\d+)$/gm)];
      return counts.reduce((sum, [, count]) => sum + Number(count), 0);
    };

    test("answers synchronous calls, many at a time", async () => {
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, at) => api.invoke("work", { key: `sync-${at}` })),
      );
      for (const { status, result } of answers) {
        assert.equal(status, "success");
        assert.equal(result?.body, '{"runs":1}');
      }
    });

    test("tries failed work again and remembers each attempt", async () => {
      const record = await ended(await enqueue({ key: "retried", failUntil: 3 }));
      assert.equal(record.status, "success");
      assert.equal(record["attempt"], 3);
      assert.deepEqual(
        (record["attempts"] as { error: { message: string } }[]).map(({ error }) => error.message),
        ["not yet 1", "not yet 2"],
      );
    });

    test("keeps work that failed for good among the dead letters, with its reason", async () => {
      const id = await enqueue({ key: "dead", failUntil: 9 });
      assert.equal((await ended(id)).status, "error");
      await using queue = await openQueue(engine.url);
      await until(async () => (await queue.dead(TOPICS.invoke, 10)).length === 1, "a dead letter");
      const [letter] = await queue.dead(TOPICS.invoke, 10);
      assert.equal(letter?.message.id, id);
      assert.match(letter?.reason ?? "", /attempt 3: Exception: not yet 3/);
    });

    test("runs one key once, synchronous or not", async () => {
      const key = { "idempotency-key": "the-same-key" };
      const responses = await Promise.all(
        [1, 2, 3].map(() => send({ key: "once", waitMs: 50 }, "sync", key)),
      );
      const answers = (await Promise.all(responses.map((response) => response.json()))) as InvokeAnswer[];
      for (const answer of answers) assert.equal(answer.result?.body, '{"runs":1}');
      const other = { "idempotency-key": "another-key" };
      const ids = await Promise.all([1, 2].map(() => enqueue({ key: "once-later" }, other)));
      assert.equal(ids[0], ids[1]);
      assert.equal((await ended(ids[0] ?? "")).status, "success");
    });

    test("cancels what waits", async () => {
      const manifestText = manifest({ limits: { maxConcurrency: 1, timeoutMs: 10_000 } });
      const code = "export default () => new Promise((resolve) => setTimeout(resolve, 1500));";
      await api.deploy({ name: "narrow", files: { "manifest.json": manifestText, "function.js": code } });
      const first = await api.enqueue("narrow", null);
      const second = ((await (await api.enqueue("narrow", null)).json()) as { activation_id: string })
        .activation_id;
      assert.equal(first.status, 202);
      const path = `/v1/tenants/t_default/activations/${second}:cancel`;
      assert.equal((await api.call("POST", path)).status, 202);
      assert.equal((await ended(second)).status, "cancelled");
      await until(async () => (await depth()) === 0, "an empty queue");
    });

    test("refuses at once while the server is away, says so, and goes on when it is back", async () => {
      const kept = await enqueue({ key: "kept", waitMs: 500 });
      await engine.kill();
      const begun = performance.now();
      for (const mode of ["sync", "async"]) {
        const response = await send({ key: "away" }, mode);
        assert.equal(response.status, 503, await response.clone().text());
        const { error } = (await response.json()) as { error: { code: string } };
        assert.equal(error.code, "CS_CODEQ_PUBLISH_FAILED");
      }
      assert.ok(performance.now() - begun < 2000, "no caller is kept waiting");
      await until(async () => (await api.call("GET", "/readyz")).status === 503, "it is not ready");
      await engine.restart();
      await until(async () => (await api.call("GET", "/readyz")).status === 200, "it is ready again");
      assert.equal((await api.invoke("work", { key: "back" })).status, "success");
      assert.equal((await ended(kept)).status, "success", "the end of what ran meanwhile was not lost");
      const record = await ended(await enqueue({ key: "later" }));
      assert.equal(record.status, "success");
      await until(async () => (await depth()) === 0, "an empty queue");
    });
  });

  test("a platform that cannot reach its queue does not start, and its message hides the password", async () => {
    using data = scratchFolder();
    const settings = { data: data.path, codeq: `${scheme}:hunter2@127.0.0.1:1` };
    await assert.rejects(startServer({ settings }), (error: Error) => {
      assert.match(error.message, /CS_CODEQ_PUBLISH_FAILED/);
      assert.match(error.message, /127\.0\.0\.1:1/);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    });
  });
}

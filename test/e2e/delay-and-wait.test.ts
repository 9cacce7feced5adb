import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { scratchFolder } from "../support/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";

const FILES = {
  "manifest.json": manifest({ limits: { timeoutMs: 10_000 } }),
  "function.js":
    "export default (ms) => new Promise((resolve) => setTimeout(() => resolve({ at: Date.now() }), ms ?? 0));",
};
const ACTIVATIONS = "/v1/tenants/t_default/activations";

describe("delay and wait", () => {
  const data = scratchFolder();
  let server: TestServer;
  let api: Api;

  before(async () => {
    server = await startServer({ settings: { data: data.path } });
    api = createApi(server.url);
    await api.deploy({ name: "work", files: FILES });
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    data[Symbol.dispose]();
  });

  const send = (body: object, headers?: Record<string, string>): Promise<Response> =>
    api.call("POST", `${api.scope()}/work:invoke`, { ref: { alias: "prod" }, ...body }, headers);

  async function accepted(response: Response): Promise<string> {
    assert.equal(response.status, 202, await response.clone().text());
    const body = (await response.json()) as { activation_id?: string; executionId?: string };
    return body.activation_id ?? body.executionId ?? "";
  }

  const wait = (id: string, seconds: number) =>
    api.expect<Record<string, unknown> & { status: string }>(
      200,
      "GET",
      `${ACTIVATIONS}/${id}?wait=${seconds}`,
    );

  test("a delay holds work back, and one past its age or the bound is refused", async () => {
    const sentMs = Date.now();
    const ids = [
      await accepted(await send({ mode: "async", delay_ms: 600 })),
      await accepted(await send({ mode: "async" }, { "x-delay-ms": "600" })),
      await accepted(
        await api.call("POST", "/v1/functions/work@prod:enqueue", null, { "x-delay-ms": "600" }),
      ),
    ];
    const [first = ""] = ids;
    const waiting = await api.activation(first);
    assert.equal(waiting.status, "queued");
    assert.ok(Number(waiting["due_at_ms"]) >= sentMs + 600);
    for (const id of ids) {
      const record = await wait(id, 10);
      assert.equal(record.status, "success");
      assert.ok(Number(record["start_ms"]) >= sentMs + 600, "not started before its time");
      assert.ok(
        (record["timings"] as { queue_ms: number }).queue_ms < 600,
        "the delay is no time in the queue",
      );
    }

    const refused = async (response: Response, text: RegExp): Promise<void> => {
      assert.equal(response.status, 400);
      assert.match(await response.text(), text);
    };
    const sixHoursMs = 6 * 3600 * 1000;
    await refused(await send({ mode: "async", delay_ms: sixHoursMs }), /retry\.max_age_ms of 21600000/);
    await refused(await send({ mode: "async", delay_ms: 7 * 86_400_000 + 1 }), /delay_ms/);
    await refused(await send({ mode: "async", delay_ms: -1 }), /delay_ms/);
    await refused(await send({ mode: "async", delay_ms: 1.5 }), /delay_ms/);
    await refused(await send({ mode: "async" }, { "x-delay-ms": "soon" }), /X-Delay-Ms/);
    await refused(await send({ mode: "sync", delay_ms: 5 }), /needs mode async/);
    await refused(await send({ mode: "sync" }, { "x-delay-ms": "5" }), /queued work/);
    await refused(
      await api.call("POST", "/v1/functions/work@prod:invoke", null, { "x-delay-ms": "5" }),
      /queued work/,
    );
  });

  test("delayed work comes back after a restart, and is cancelled like any other", async () => {
    const id = await accepted(await send({ mode: "async", delay_ms: 1500 }));
    const cancelled = await accepted(await send({ mode: "async", delay_ms: 60_000 }));
    await server.kill();
    server = await startServer({ settings: { data: data.path } });
    api = createApi(server.url);
    const waiter = wait(cancelled, 20);
    await api.expect(202, "POST", `${ACTIVATIONS}/${cancelled}:cancel`);
    assert.equal((await waiter).status, "cancelled");
    const record = await wait(id, 10);
    assert.equal(record.status, "success");
    assert.ok(Number(record["start_ms"]) >= Number(record["due_at_ms"]));
  });

  test("a reader waits for the end and is woken by it", async () => {
    const id = await accepted(await send({ mode: "async", event: 700 }));
    const [first, second, short] = await Promise.all([
      wait(id, 30),
      api.expect<{ status: string; output: { at: number } }>(200, "GET", `/v1/executions/${id}?wait=30`),
      wait(id, 0),
    ]);
    assert.notEqual(short.status, "success", "without a wait it answers at once");
    assert.equal(first.status, "success");
    assert.equal(second.status, "success");
    assert.ok(Date.now() - second.output.at < 5000, "long before the wait is over");
    assert.equal((await wait(id, 30)).status, "success", "what has ended is answered at once");

    const held = await accepted(await send({ mode: "async", event: 3000 }));
    const startedMs = performance.now();
    const record = await wait(held, 1);
    assert.ok(performance.now() - startedMs >= 990);
    assert.ok(["queued", "running"].includes(record.status), "the time was up first");
    for (const bad of ["31", "-1", "soon", "1.5"]) {
      const answer = await api.call("GET", `${ACTIVATIONS}/${id}?wait=${bad}`);
      assert.equal(answer.status, 400, bad);
      await answer.body?.cancel();
    }
    const unknown = "00000000-0000-4000-8000-000000000000";
    const none = await api.call("GET", `${ACTIVATIONS}/${unknown}?wait=30`);
    assert.equal(none.status, 404);
    await none.body?.cancel();
  });

  test("who waits does not keep the platform from ending", async () => {
    const id = await accepted(await send({ mode: "async", delay_ms: 60_000 }));
    const waiter = wait(id, 30);
    await until(async () => (await api.activation(id)).status === "queued", "the record");
    await server[Symbol.asyncDispose]();
    const record = await waiter.catch(() => undefined);
    assert.ok(record === undefined || record.status === "queued");
  });
});

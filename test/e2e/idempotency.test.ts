import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { type Api, createApi, type InvokeAnswer, manifest, until } from "../support/api.ts";
import { scratchFolder } from "../support/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";

const REPLAY = "x-cs-idempotency-replay";
const COUNTER = {
  "manifest.json": manifest({ capabilities: { kv: { prefixes: ["runs/"], ops: ["get", "set"] } } }),
  "function.js": `export default async ({ key, waitMs = 0, fail = false }) => {
    const runs = ((await cs.kv.get("runs/" + key)) ?? 0) + 1;
    await cs.kv.set("runs/" + key, runs);
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    if (fail) throw new Error("run " + runs);
    return { runs };
  };`,
};
const READER = {
  "manifest.json": manifest({ capabilities: { kv: { prefixes: ["runs/"], ops: ["get"] } } }),
  "function.js": 'export default async (key) => (await cs.kv.get("runs/" + key)) ?? 0;',
};

describe("one key, one run", () => {
  const data = scratchFolder();
  let server: TestServer;
  let api: Api;

  before(async () => {
    server = await startServer({ settings: { data: data.path } });
    api = createApi(server.url);
    await api.deploy({ name: "counter", files: COUNTER });
    await api.deploy({ name: "reader", files: READER });
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    data[Symbol.dispose]();
  });

  const send = (
    key: string,
    event: Record<string, unknown>,
    { mode = "sync", ref = { alias: "prod" } as unknown } = {},
  ): Promise<Response> =>
    api.call("POST", `${api.scope()}/counter:invoke`, { ref, mode, event }, { "idempotency-key": key });
  const runsOf = async (key: string): Promise<number> =>
    Number((await api.invoke("reader", key)).result?.body);

  test("three requests at once share one run and one answer", async () => {
    const responses = await Promise.all(
      [1, 2, 3].map(() => send("at once", { key: "at-once", waitMs: 300 })),
    );
    const answers = (await Promise.all(responses.map((response) => response.json()))) as InvokeAnswer[];
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
    assert.equal(answers[0]?.result?.body, '{"runs":1}');
    assert.deepEqual(
      responses.map((response) => response.headers.get(REPLAY)).sort(),
      ["1", "1", null].sort(),
      "two of three are told that it is a repetition",
    );
    assert.equal(await runsOf("at-once"), 1);

    const later = await send("at once", { key: "at-once", waitMs: 300 });
    assert.equal(later.headers.get(REPLAY), "1");
    assert.deepEqual(await later.json(), answers[0]);
    assert.equal(await runsOf("at-once"), 1);
  });

  test("the same key with another body is refused, also while the first one runs", async () => {
    const first = send("other body", { key: "other-body", waitMs: 300 });
    await until(async () => (await runsOf("other-body")) === 1, "the first to run");
    const during = await send("other body", { key: "other-body", waitMs: 1 });
    assert.equal(during.status, 409);
    assert.equal(
      ((await during.json()) as { error: { code: string } }).error.code,
      "CS_IDEMPOTENCY_CONFLICT",
    );
    assert.equal((await first).status, 200);
    assert.equal((await send("other body", { key: "changed" })).status, 409);
    const together = await Promise.all([1, 2].map((n) => send("differing", { key: "differing", n })));
    assert.deepEqual(together.map(({ status }) => status).sort(), [200, 409]);
    assert.equal(await runsOf("differing"), 1);
  });

  test("a failure is an answer too, and is repeated, not tried again", async () => {
    const [first, second] = [
      await send("failing", { key: "failing", fail: true }),
      await send("failing", { key: "failing", fail: true }),
    ];
    const answer = (await first.json()) as InvokeAnswer;
    assert.equal(answer.error?.message, "run 1");
    assert.deepEqual(await second.json(), answer);
    assert.equal(second.headers.get(REPLAY), "1");
    assert.equal(await runsOf("failing"), 1);
  });

  test("asynchronous requests with one key are one activation, and a synchronous one gets its answer", async () => {
    const event = { key: "queued", waitMs: 200 };
    const responses = await Promise.all([1, 2, 3].map(() => send("queued", event, { mode: "async" })));
    assert.deepEqual(
      responses.map(({ status }) => status),
      [202, 202, 202],
    );
    const ids = new Set(
      (await Promise.all(responses.map((response) => response.json()))).map(
        (answer) => (answer as { activation_id: string }).activation_id,
      ),
    );
    assert.equal(ids.size, 1);
    const [id = ""] = ids;
    await until(async () => (await api.activation(id)).status === "success", "the one activation");
    assert.equal(await runsOf("queued"), 1);
    const sync = await send("queued", event);
    assert.equal(sync.headers.get(REPLAY), "1");
    assert.equal(((await sync.json()) as InvokeAnswer).activation_id, id);
    assert.equal((await send("queued", { key: "changed" }, { mode: "async" })).status, 409);
  });

  test("keys are apart by reference as it was sent, and by function", async () => {
    await send("shared", { key: "by-alias" });
    const byVersion = await send("shared", { key: "by-version" }, { ref: { version: 1 } });
    assert.equal(byVersion.status, 200);
    assert.equal(byVersion.headers.get(REPLAY), null);
  });

  test("the web door knows keys too", async () => {
    const headers = { "idempotency-key": randomUUID() };
    const path = "/v1/web/t_default/default/reader/prod/";
    const [one, two] = [
      await api.call("POST", path, { a: 1 }, headers),
      await api.call("POST", path, { a: 1 }, headers),
    ];
    assert.equal(one.headers.get(REPLAY), null);
    assert.equal(two.headers.get(REPLAY), "1");
    assert.equal(one.headers.get("x-cs-activation-id"), two.headers.get("x-cs-activation-id"));
    assert.equal((await api.call("POST", path, { a: 2 }, headers)).status, 409);
  });

  test("a key that cannot be is refused", async () => {
    assert.equal((await send("k".repeat(129), { key: "long" })).status, 400);
    assert.equal((await send("tab\tinside", { key: "tab" })).status, 400);
    assert.equal((await send("k".repeat(128), { key: "longest" })).status, 200);
  });

  test("callers who choose the same request id get each their own answer", async () => {
    const headers = { "x-request-id": "chosen-by-everybody" };
    const answers = await Promise.all(
      [1, 2, 3, 4].map(async (n) => {
        const body = { ref: { alias: "prod" }, event: { key: `request-${n}`, waitMs: 100 * n, n } };
        const response = await api.call("POST", `${api.scope()}/counter:invoke`, body, headers);
        assert.equal(response.headers.get("x-request-id"), "chosen-by-everybody");
        return (await response.json()) as InvokeAnswer;
      }),
    );
    assert.equal(new Set(answers.map((answer) => answer.activation_id)).size, 4);
    for (const answer of answers) assert.equal(answer.result?.body, '{"runs":1}');
  });
});

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Api, createApi, manifest } from "../support/api.ts";
import { scratchFolder } from "../support/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";

const PUBLISHES = 50;

const answering = (value: number): Record<string, string> => ({
  "manifest.json": manifest(),
  "function.js": `export default () => ${value};`,
});

const encoded = (files: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(files).map(([path, text]) => [path, btoa(text)]));

interface Failure {
  error: { code: string; message: string };
}

describe("versions and aliases", () => {
  const data = scratchFolder();
  let server: TestServer;
  let api: Api;

  before(async () => {
    server = await startServer({ settings: { data: data.path, "limits.draft_ttl_ms": 3_600_000 } });
    api = createApi(server.url);
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    data[Symbol.dispose]();
  });

  const draftOf = async (name: string, value: number): Promise<string> => {
    const path = `${api.scope()}/${name}/draft`;
    const files = encoded(answering(value));
    return (await api.expect<{ draft_id: string }>(200, "PUT", path, { files })).draft_id;
  };
  const bodyOf = async (name: string, ref: unknown): Promise<unknown> =>
    JSON.parse((await api.invoke(name, null, { ref })).result?.body ?? "");

  test(`${PUBLISHES} publishes at once get ${PUBLISHES} numbers without a gap`, async () => {
    await api.expect(201, "POST", api.scope(), { name: "busy" });
    const published = await Promise.all(
      Array.from({ length: PUBLISHES }, (_, value) => api.publish({ name: "busy", files: answering(value) })),
    );
    const numbers = published.map(({ version }) => version).sort((a, b) => a - b);
    assert.deepEqual(
      numbers,
      Array.from({ length: PUBLISHES }, (_, index) => index + 1),
    );
    const seventh = published.findIndex(({ version }) => version === 7);
    assert.equal(await bodyOf("busy", { version: 7 }), seventh, "each number has the files it was given for");
    const page = await api.expect<{ items: { version: number }[]; next_cursor: string }>(
      200,
      "GET",
      `${api.scope()}/busy/versions?limit=20`,
    );
    assert.deepEqual(
      page.items.map(({ version }) => version),
      Array.from({ length: 20 }, (_, index) => PUBLISHES - index),
    );
    const rest = await api.expect<{ items: { version: number }[] }>(
      200,
      "GET",
      `${api.scope()}/busy/versions?limit=500&cursor=${page.next_cursor}`,
    );
    assert.equal(rest.items.length, PUBLISHES - 20);
  });

  test("one draft published ten times at once becomes one version", async () => {
    await api.expect(201, "POST", api.scope(), { name: "once" });
    const draft_id = await draftOf("once", 1);
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => api.call("POST", `${api.scope()}/once/versions`, { draft_id })),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array(9).fill(409)]);
    for (const answer of answers.filter(({ status }) => status === 409)) {
      assert.equal(((await answer.json()) as Failure).error.code, "CS_CONFLICT");
    }
    const later = await api.expect<Failure>(409, "POST", `${api.scope()}/once/versions`, { draft_id });
    assert.match(later.error.message, /published already/);
    const { items } = await api.expect<{ items: unknown[] }>(200, "GET", `${api.scope()}/once/versions`);
    assert.equal(items.length, 1);
  });

  test("the same files are one bundle, on any machine", async () => {
    await api.expect(201, "POST", api.scope(), { name: "twin-a" });
    await api.expect(201, "POST", api.scope(), { name: "twin-b" });
    const one = await api.publish({ name: "twin-a", files: answering(1) });
    const reversed = Object.fromEntries(Object.entries(answering(1)).toReversed());
    const two = await api.publish({ name: "twin-b", files: reversed });
    assert.equal(one.sha256, two.sha256);
  });

  test("an alias that is turned back counts from the next call on", async () => {
    await api.expect(201, "POST", api.scope(), { name: "rolled" });
    await api.publish({ name: "rolled", files: answering(1) });
    await api.publish({ name: "rolled", files: answering(2) });
    const path = `${api.scope()}/rolled/aliases/prod`;
    for (let turn = 0; turn < 10; turn++) {
      const version = turn % 2 === 0 ? 1 : 2;
      await api.expect(200, "PUT", path, { version });
      assert.equal(await bodyOf("rolled", { alias: "prod" }), version);
      const web = await api.call("GET", "/v1/web/t_default/default/rolled/prod/");
      assert.equal(await web.text(), String(version));
    }
    await api.expect(200, "DELETE", path);
    const gone = await api.call("POST", `${api.scope()}/rolled:invoke`, { ref: { alias: "prod" } });
    assert.equal(gone.status, 404);
    assert.equal(await bodyOf("rolled", { version: 2 }), 2);
  });

  test("an alias set while publishing is set with the version or not at all", async () => {
    await api.expect(201, "POST", api.scope(), { name: "atomic" });
    const draft_id = await draftOf("atomic", 1);
    const path = `${api.scope()}/atomic/versions`;
    const wide = { capabilities: { kv: { prefixes: ["x"], ops: ["get"] } } };
    await api.expect(400, "POST", path, { draft_id, config: wide, alias: "prod" });
    const before = await api.expect<{ aliases: unknown[] }>(200, "GET", `${api.scope()}/atomic/aliases`);
    assert.deepEqual(before.aliases, []);
    await api.expect(201, "POST", path, { draft_id, alias: "prod" });
    const after = await api.expect<{ aliases: { version: number }[] }>(
      200,
      "GET",
      `${api.scope()}/atomic/aliases`,
    );
    assert.equal(after.aliases[0]?.version, 1);
  });

  test("a deleted function cannot be called, and its name brings it back with its versions", async () => {
    await api.expect(201, "POST", api.scope(), { name: "phoenix" });
    await api.publish({ name: "phoenix", files: answering(1) });
    assert.equal(await bodyOf("phoenix", { alias: "prod" }), 1);
    const base = `${api.scope()}/phoenix`;
    assert.deepEqual(await api.expect(200, "DELETE", base), { status: "deleted" });
    await api.expect(404, "DELETE", base);
    await api.expect(404, "GET", base);
    await api.expect(404, "POST", `${base}:invoke`, { ref: { alias: "prod" } });
    await api.expect(404, "POST", `${base}:invoke`, { ref: { version: 1 }, mode: "async" });
    await api.expect(404, "PUT", `${base}/draft`, { files: encoded(answering(2)) });
    assert.equal((await api.call("GET", "/v1/web/t_default/default/phoenix/prod/")).status, 404);
    const hidden = await api.expect<{ items: { name: string }[] }>(200, "GET", `${api.scope()}?limit=500`);
    assert.ok(!hidden.items.some(({ name }) => name === "phoenix"));
    const shown = await api.expect<{ function: { deleted_at_ms: number } }>(
      200,
      "GET",
      `${base}?include_deleted=true`,
    );
    assert.ok(shown.function.deleted_at_ms > 0);

    await api.expect(201, "POST", api.scope(), { name: "phoenix" });
    assert.equal(await bodyOf("phoenix", { alias: "prod" }), 1);
    const { version } = await api.publish({ name: "phoenix", files: answering(2) });
    assert.equal(version, 2, "numbers go on");
    assert.equal(await bodyOf("phoenix", { alias: "prod" }), 2);
  });
});

test("a draft that has expired is not published", async () => {
  using data = scratchFolder();
  await using server = await startServer({ settings: { data: data.path, "limits.draft_ttl_ms": 1 } });
  const api = createApi(server.url);
  await api.expect(201, "POST", api.scope(), { name: "late" });
  const files = encoded(answering(1));
  const { draft_id } = await api.expect<{ draft_id: string }>(200, "PUT", `${api.scope()}/late/draft`, {
    files,
  });
  await new Promise((resolve) => setTimeout(resolve, 5));
  const { error } = await api.expect<Failure>(409, "POST", `${api.scope()}/late/versions`, { draft_id });
  assert.equal(error.code, "CS_CONFLICT");
  assert.match(error.message, /expired/);
});

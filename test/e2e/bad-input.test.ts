import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Api, createApi, manifest } from "../support/api.ts";
import { runCs } from "../support/run-cs.ts";
import { scratchFolder } from "../support/scratch.ts";
import { sendRaw } from "../support/send-raw.ts";
import { startServer, type TestServer } from "../support/server.ts";

const CODE = "export default () => 1;";
const MiB = 1024 * 1024;

interface Envelope {
  error: { code: string; message: string; request_id: string; details?: { issues?: { path: string }[] } };
}

describe("bad input", () => {
  const data = scratchFolder();
  let server: TestServer;
  let api: Api;

  before(async () => {
    server = await startServer({ settings: { data: data.path } });
    api = createApi(server.url);
    await api.deploy({ name: "good", files: { "function.js": CODE, "manifest.json": manifest() } });
  });
  after(async () => {
    // Whatever came in, the server still does its work.
    assert.equal((await api.invoke("good", null)).result?.body, "1");
    await server[Symbol.asyncDispose]();
    data[Symbol.dispose]();
  });

  /** Expects a refusal with this status and code, in the one shape of errors. */
  async function refused(
    expected: string,
    response: Response | Promise<Response>,
  ): Promise<Envelope["error"]> {
    const answer = await response;
    const text = await answer.text();
    assert.match(answer.headers.get("content-type") ?? "", /^application\/json/, text.slice(0, 300));
    const { error } = JSON.parse(text) as Envelope;
    assert.equal(`${answer.status} ${error.code}`, expected, text.slice(0, 300));
    assert.ok(error.message.length > 0 && error.message.length < 2000);
    assert.equal(error.request_id, answer.headers.get("x-request-id"));
    return error;
  }
  const raw = (method: string, path: string, body: string, type = "application/json"): Promise<Response> =>
    fetch(server.url + path, { method, body, headers: { "content-type": type } });
  const draft = (files: unknown): Promise<Response> =>
    api.call("PUT", `${api.scope()}/good/draft`, { files });
  const withManifest = (text: string, more: Record<string, string> = {}): Promise<Response> =>
    draft({ "function.js": btoa(CODE), "manifest.json": btoa(text), ...more });

  test("names", async () => {
    const bad = [
      "",
      "ab",
      "Ab1",
      "1ab",
      "-ab",
      "a b",
      "a/b",
      "a.b",
      "ä-name",
      "a".repeat(65),
      "a\u0000b",
      "a:b",
      "a@b",
    ];
    for (const name of bad) {
      await refused("400 CS_VALIDATION_NAME_INVALID", api.call("POST", api.scope(), { name }));
      if (name === "") continue;
      const path = encodeURIComponent(name);
      const read = await api.call("GET", `${api.scope()}/${path}`);
      assert.ok([400, 404].includes(read.status), `${name}: ${read.status}`);
    }
    for (const name of [null, 7, {}, ["abc"], true]) {
      await refused("400 CS_VALIDATION_NAME_INVALID", api.call("POST", api.scope(), { name }));
    }
    for (const tenant of ["t_", "t_five", "x_default", "t_DEFAULT", `t_${"a".repeat(33)}`, "t_defa-lt"]) {
      await refused("400 CS_VALIDATION_NAME_INVALID", api.call("GET", api.scope(tenant)));
      await refused(
        "400 CS_VALIDATION_NAME_INVALID",
        api.call("GET", `/v1/web/${tenant}/default/good/prod/`),
      );
    }
    await refused(
      "400 CS_VALIDATION_NAME_INVALID",
      api.call("GET", "/v1/tenants/t_default/namespaces/A/functions"),
    );
    await refused("400 CS_VALIDATION_NAME_INVALID", api.call("GET", "/v1/web/t_default/A/good/prod/"));
    await refused("400 CS_VALIDATION_NAME_INVALID", api.call("POST", "/v1/functions/A:invoke", null));
  });

  test("references", async () => {
    const path = `${api.scope()}/good:invoke`;
    const invalid = [
      { alias: "A" },
      { alias: "1a" },
      { alias: "a" },
      { version: 0 },
      { version: -1 },
      { version: 1.5 },
    ];
    const more = [
      { version: "1" },
      { version: 2 ** 31 },
      { alias: "prod", version: 1 },
      { tag: "x" },
      "prod",
      1,
      [],
    ];
    for (const ref of [...invalid, ...more]) {
      await refused("400 CS_VALIDATION_FAILED", api.call("POST", path, { ref }));
    }
    for (const ref of [{ alias: "nowhere" }, { version: 99 }]) {
      await refused("404 CS_NOT_FOUND", api.call("POST", path, { ref }));
      await refused("404 CS_NOT_FOUND", api.call("POST", path, { ref, mode: "async" }));
    }
    for (const ref of ["A", "0", "01", "-1", "99999999999", "a%62c", "pro d", "%00"]) {
      await refused("400 CS_VALIDATION_FAILED", api.call("GET", `/v1/web/t_default/default/good/${ref}/x`));
    }
    await refused("400 CS_VALIDATION_FAILED", api.call("GET", "/v1/web/t_default/default/good"));
    await refused("404 CS_NOT_FOUND", api.call("GET", "/v1/web/t_default/default/good/nowhere/"));
    await refused("404 CS_NOT_FOUND", api.call("GET", "/v1/web/t_default/default/missing/prod/"));
    await refused("400 CS_VALIDATION_FAILED", api.call("POST", "/v1/functions/good@:invoke", null));
    await refused("400 CS_VALIDATION_FAILED", api.call("POST", "/v1/functions/good@A:invoke", null));
    await refused("404 CS_NOT_FOUND", api.call("POST", "/v1/functions/good@nowhere:invoke", null));
    await refused("404 CS_NOT_FOUND", api.call("POST", "/v1/functions/missing:enqueue", null));
    await refused("405 CS_METHOD_NOT_ALLOWED", api.call("GET", path));
    await api.expect(201, "POST", api.scope(), { name: "unpublished" });
    const { message } = await refused(
      "404 CS_NOT_FOUND",
      api.call("POST", `${api.scope()}/unpublished:invoke`, {}),
    );
    assert.match(message, /no version yet/);
  });

  test("aliases", async () => {
    const put = (alias: string, body: unknown) =>
      api.call("PUT", `${api.scope()}/good/aliases/${alias}`, body);
    await refused("400 CS_VALIDATION_FAILED", put("latest", { version: 1 }));
    await refused("400 CS_VALIDATION_NAME_INVALID", put("A", { version: 1 }));
    await refused("400 CS_VALIDATION_NAME_INVALID", put("a".repeat(33), { version: 1 }));
    await refused("404 CS_NOT_FOUND", put("next", { version: 99 }));
    for (const body of [{}, { version: 0 }, { version: "1" }, { version: 1, weight: 1 }, [], null]) {
      await refused("400 CS_VALIDATION_FAILED", put("next", body));
    }
    await refused("400 CS_VALIDATION_FAILED", put("next", { version: 1, weights: { 1: 0.5 } }));
    await refused("400 CS_VALIDATION_FAILED", put("next", { version: 1, weights: { 2: 0.6, 3: 0.6 } }));
    await refused("404 CS_NOT_FOUND", api.call("DELETE", `${api.scope()}/good/aliases/nowhere`));
    await refused("400 CS_VALIDATION_FAILED", api.call("DELETE", `${api.scope()}/good/aliases/latest`));
  });

  test("JSON", async () => {
    const invoke = `${api.scope()}/good:invoke`;
    const broken = ["", "{", "[", "nul", "{'a': 1}", '{"a": 1,}', "\u0000", '{"mode": "sync"} x', "NaN"];
    for (const body of broken) {
      await refused("400 CS_VALIDATION_FAILED", raw("POST", invoke, body));
      await refused("400 CS_VALIDATION_FAILED", raw("POST", api.scope(), body));
    }
    for (const body of ["null", "[]", '"text"', "1", "true"]) {
      await refused("400 CS_VALIDATION_FAILED", raw("POST", invoke, body));
      await refused("400 CS_VALIDATION_FAILED", raw("POST", api.scope(), body));
    }
    await refused("400 CS_VALIDATION_FAILED", raw("POST", "/v1/functions/good:invoke", "{broken"));
    await refused("400 CS_VALIDATION_FAILED", raw("POST", api.scope(), '{"name": "abc", "extra": 1}'));
    await refused("400 CS_VALIDATION_FAILED", raw("POST", api.scope(), '{"name": "abc", "__proto__": {}}'));
    await refused("400 CS_VALIDATION_FAILED", raw("POST", invoke, '{"mode": "later"}'));
    await refused("400 CS_VALIDATION_FAILED", raw("POST", invoke, '{"event": 1, "events": 2}'));
    await refused("400 CS_VALIDATION_FAILED", raw("POST", api.scope(), '{"name": "abc"}', "text/plain"));
    const deep = "[".repeat(50_000) + "]".repeat(50_000);
    const nested = await raw("POST", invoke, `{"event": ${deep}}`);
    assert.ok(nested.status < 500, `50,000 levels: ${nested.status} ${await nested.text()}`);
  });

  test("queries and ids", async () => {
    for (const query of [
      "limit=0",
      "limit=501",
      "limit=x",
      "limit=-1",
      "cursor=%00",
      "unknown=1",
      "status=done",
    ]) {
      await refused(
        "400 CS_VALIDATION_FAILED",
        api.call("GET", `/v1/tenants/t_default/activations?${query}`),
      );
    }
    await refused(
      "400 CS_VALIDATION_FAILED",
      api.call("GET", "/v1/tenants/t_default/activations/not-a-uuid"),
    );
    const unknown = "/v1/tenants/t_default/activations/00000000-0000-4000-8000-000000000000";
    await refused("404 CS_NOT_FOUND", api.call("GET", unknown));
    await refused("404 CS_NOT_FOUND", api.call("GET", `${unknown}/logs`));
    await refused("404 CS_NOT_FOUND", api.call("GET", `${unknown}/logs?follow=1`));
    await refused("404 CS_NOT_FOUND", api.call("GET", "/v1/nothing/here"));
    await refused("400 CS_VALIDATION_FAILED", api.call("GET", `${api.scope()}/good/versions/zero`));
    await refused("404 CS_NOT_FOUND", api.call("GET", `${api.scope()}/good/versions/99`));
    await refused("400 CS_VALIDATION_FAILED", api.call("GET", "/v1/tenants/%zz/activations"));
    const headers = { "x-timeout-ms": "soon" };
    await refused("400 CS_VALIDATION_FAILED", api.call("POST", `${api.scope()}/good:invoke`, {}, headers));
  });

  test("base64 and shapes of drafts", async () => {
    for (const content of [
      "not base64!",
      "YQ",
      "YQ=",
      "Y Q==",
      "YWJj\nZGVm",
      "YWJj-_==",
      7,
      null,
      {},
      ["YQ=="],
    ]) {
      await refused("400 CS_VALIDATION_FAILED", withManifest(manifest(), { "extra.txt": content as string }));
    }
    for (const files of [{}, [], null, "files", 7]) await refused("400 CS_VALIDATION_FAILED", draft(files));
    const path = `${api.scope()}/good/draft`;
    await refused("400 CS_VALIDATION_FAILED", api.call("PUT", path, { files: { a: "YQ==" }, more: 1 }));
    await refused(
      "404 CS_NOT_FOUND",
      api.call("PUT", `${api.scope()}/missing/draft`, {
        files: { "function.js": btoa(CODE), "manifest.json": btoa(manifest()) },
      }),
    );
  });

  test("paths of drafts: escapes, twins and what lies", async () => {
    const bad = [
      "../x",
      "a/../x",
      "/etc/passwd",
      "a//b",
      "./a",
      "a/.",
      "a\\b",
      "C:/x",
      "a/",
      "nul\u0000l",
      "a\u202Eb",
    ];
    const more = [
      "a ",
      "a.",
      "dir./x",
      `${"a".repeat(101)}`,
      `${"d/".repeat(200)}x`,
      "line\nbreak",
      "\ud800",
    ];
    for (const path of [...bad, ...more]) {
      await refused("400 CS_VALIDATION_FAILED", withManifest(manifest(), { [path]: "YQ==" }));
    }
    const twins = [
      ["a.js", "A.js"],
      ["lib", "lib/x.js"],
      ["\u00e9.js", "e\u0301.js"],
      ["stra\u00dfe", "STRASSE"],
    ] as const;
    for (const [one, two] of twins) {
      await refused("400 CS_VALIDATION_FAILED", withManifest(manifest(), { [one]: "YQ==", [two]: "YQ==" }));
    }
    // JSON itself would silently keep the last one.
    const text = `{"files": {"manifest.json": "${btoa(manifest())}", "x": "YQ==", "x": "Yg=="}}`;
    const twice = await refused("400 CS_VALIDATION_FAILED", raw("PUT", `${api.scope()}/good/draft`, text));
    assert.match(twice.message, /"x" twice/);
    const many = Object.fromEntries(Array.from({ length: 1001 }, (_, n) => [`f${n}`, ""]));
    await refused("400 CS_VALIDATION_FAILED", draft(many));
  });

  test("manifests: unknown keys, wrong types, limits out of range", async () => {
    const base = JSON.parse(manifest()) as Record<string, unknown> & { limits: Record<string, number> };
    const changes: Record<string, unknown>[] = [
      { extra: 1 },
      { schema: "cs.function.script.v2" },
      { schema: undefined },
      { runtime: "ruby" },
      { runtime: 7 },
      { entry: "../function.js" },
      { entry: "/function.js" },
      { entry: "missing.js" },
      { entry: "function.js\u0000" },
      { entry: undefined },
      { handler: "1st" },
      { handler: "" },
      { limits: undefined },
      { limits: { ...base.limits, timeoutMs: 0 } },
      { limits: { ...base.limits, timeoutMs: 900_001 } },
      { limits: { ...base.limits, timeoutMs: "3000" } },
      { limits: { ...base.limits, timeoutMs: 1.5 } },
      { limits: { ...base.limits, memoryMb: 15 } },
      { limits: { ...base.limits, memoryMb: 4097 } },
      { limits: { ...base.limits, maxConcurrency: 0 } },
      { limits: { ...base.limits, maxConcurrency: 101 } },
      { limits: { ...base.limits, cpu: 1 } },
      { capabilities: { files: {} } },
      { capabilities: { kv: { prefixes: "x", ops: ["get"] } } },
      { capabilities: { kv: { prefixes: ["x"], ops: ["list"] } } },
      { capabilities: { kv: { prefixes: Array(65).fill("x"), ops: [] } } },
      { capabilities: { http: { allowHosts: ["https://example.com"] } } },
      { capabilities: { http: { allowHosts: ["*"] } } },
      { capabilities: { http: { allowHosts: ["a.example"], timeoutMs: 30_001 } } },
      { capabilities: { codeq: { publishTopics: [7] } } },
      { isolation: "none" },
    ];
    for (const change of changes) {
      const error = await refused(
        "400 CS_VALIDATION_MANIFEST_INVALID",
        withManifest(JSON.stringify({ ...base, ...change })),
      );
      assert.ok((error.details?.issues?.length ?? 0) > 0, `${JSON.stringify(change)}: says where`);
    }
    for (const text of [
      "",
      "{",
      "[]",
      "null",
      '"text"',
      '{"schema": "a", "schema": "b"}',
      `${" ".repeat(300_000)}{}`,
    ]) {
      await refused("400 CS_VALIDATION_MANIFEST_INVALID", withManifest(text));
    }
    await refused("400 CS_VALIDATION_MANIFEST_INVALID", draft({ "function.js": btoa(CODE) }));
    const notText = {
      "manifest.json": btoa(manifest()),
      "function.js": Buffer.from([0xff, 0xfe, 0x00]).toString("base64"),
    };
    await refused("400 CS_VALIDATION_MANIFEST_INVALID", draft(notText));
  });

  test("version configs", async () => {
    const { draft_id } = (await (await withManifest(manifest())).json()) as { draft_id: string };
    const publish = (body: unknown) => api.call("POST", `${api.scope()}/good/versions`, body);
    const configs: Record<string, unknown>[] = [
      { timeout_ms: 0 },
      { timeout_ms: 900_001 },
      { memory_mb: 15 },
      { max_concurrency: 101 },
      { unknown: 1 },
      { env: { "1BAD": "x" } },
      { env: { GOOD: 7 } },
      { authz: { invoke_http_roles: "admin" } },
      { authz: { invoke_anything_roles: [] } },
      { retry: { max_attempts: 0 } },
      { retry: { max_attempts: 21 } },
      { retry: { backoff_ms: -1 } },
      { isolation: "none" },
      { durability: "eventual" },
      { capabilities: { kv: { prefixes: ["x"], ops: ["get"] } } },
      { capabilities: { http: { allow_hosts: ["example.com"] } } },
      { capabilities: { codeq: { publish_topics: ["jobs.*"] } } },
    ];
    for (const config of configs) await refused("400 CS_VALIDATION_FAILED", publish({ draft_id, config }));
    await refused("400 CS_VALIDATION_FAILED", publish({ draft_id, alias: "latest" }));
    await refused("400 CS_VALIDATION_FAILED", publish({ draft_id, alias: "A" }));
    await refused("400 CS_VALIDATION_FAILED", publish({ draft_id: "nonsense" }));
    await refused("400 CS_VALIDATION_FAILED", publish({}));
    await refused("404 CS_NOT_FOUND", publish({ draft_id: `drf_${"0".repeat(26)}` }));
    await refused("404 CS_NOT_FOUND", api.call("POST", `${api.scope()}/missing/versions`, { draft_id }));
    // A draft belongs to its function, and refusals have not used it up.
    await api.expect(201, "POST", api.scope(), { name: "another" });
    await refused("404 CS_NOT_FOUND", api.call("POST", `${api.scope()}/another/versions`, { draft_id }));
    assert.equal((await publish({ draft_id })).status, 201);
  });

  test("sizes of drafts and of control's bodies", async () => {
    const large = Buffer.alloc(16 * MiB, "a").toString("base64");
    await refused("400 CS_VALIDATION_BUNDLE_TOO_LARGE", withManifest(manifest(), { "large.txt": large }));
    const path = `${api.scope()}/good/draft`;
    const draftAnswer = await sendRaw(server.url, {
      method: "PUT",
      path,
      headers: { "content-type": "application/json", "content-length": String(33 * MiB) },
    }).catch(() => undefined);
    if (draftAnswer !== undefined) assert.equal(draftAnswer.status, 413);
    const body = JSON.stringify({ name: "abc", entry: "x".repeat(9 * MiB) });
    await refused("413 CS_PAYLOAD_TOO_LARGE", raw("POST", api.scope(), body));
    const target = `${api.scope()}?cursor=${"x".repeat(17 * 1024)}`;
    await refused("414 CS_QUERY_TOO_LARGE", api.call("GET", target));
    const headers = Object.fromEntries(
      Array.from({ length: 9 }, (_, n) => [`x-large-${n}`, "x".repeat(8 * 1024)]),
    );
    await refused("431 CS_HEADERS_TOO_LARGE", api.call("GET", api.scope(), undefined, headers));
    await refused("431 CS_HEADERS_TOO_LARGE", api.call("POST", `${api.scope()}/good:invoke`, {}, headers));
    await refused(
      "414 CS_QUERY_TOO_LARGE",
      api.call("POST", `${api.scope()}/good:invoke?${"x".repeat(17 * 1024)}`, {}),
    );
  });

  test("hosts and origins of elsewhere, where there are no tokens", async () => {
    const rebound = await sendRaw(server.url, { path: "/v1/functions", headers: { host: "evil.example" } });
    assert.equal(rebound.status, 403);
    const crossSite = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };
    for (const path of [api.scope(), "/v1/web/t_default/default/good/prod/"]) {
      await refused("403 CS_AUTHZ_DENIED", api.call("GET", path, undefined, crossSite));
    }
  });

  test("the command line ends with 1 and says the code", async () => {
    for (const [args, code] of [
      [["fn", "invoke", "good@nowhere"], "CS_NOT_FOUND"],
      [["fn", "create", "A"], "CS_VALIDATION"],
      [["fn", "alias", "set", "good", "latest", "--version", "1"], "CS_VALIDATION_FAILED"],
    ] as const) {
      const run = await runCs(server.url, [...args, "--json"]);
      assert.equal(run.code, 1, `cs ${args.join(" ")}: ${run.stdout} ${run.stderr}`);
      assert.match(run.stderr, new RegExp(code));
    }
  });
});

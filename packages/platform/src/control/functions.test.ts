import assert from "node:assert/strict";
import test from "node:test";
import type { ErrorReply, FunctionPage, FunctionReply } from "@sous/contract";
import { deploy, FUNCTIONS } from "./testing/sample-function.ts";
import { startControl } from "./testing/start-control.ts";

const codeOf = (body: unknown) => (body as ErrorReply).error.code;

test("a function is created, read, listed, deleted and revived", async () => {
  await using control = await startControl();
  const created = await control.call("POST", FUNCTIONS, { name: "hello" });
  assert.equal(created.status, 201);
  assert.deepEqual(created.body, {
    tenant: "t_default",
    namespace: "default",
    name: "hello",
    runtime: "cs-js",
    entry: "function.js",
    handler: "default",
    created_at_ms: control.state.nowMs,
    deleted_at_ms: null,
  });
  const again = await control.call("POST", FUNCTIONS, { name: "hello" });
  assert.deepEqual([again.status, codeOf(again.body)], [409, "CS_CONFLICT"]);

  const read = await control.call<FunctionReply>("GET", `${FUNCTIONS}/hello`);
  assert.deepEqual([read.status, read.body.aliases, read.body.latest_version], [200, [], null]);

  const deleted = await control.call("DELETE", `${FUNCTIONS}/hello`);
  assert.deepEqual([deleted.status, deleted.body], [200, { status: "deleted" }]);
  assert.equal((await control.call("GET", `${FUNCTIONS}/hello`)).status, 404);
  const hidden = await control.call<FunctionReply>("GET", `${FUNCTIONS}/hello?include_deleted=true`);
  assert.equal(hidden.body.function.deleted_at_ms, control.state.nowMs);
  assert.equal((await control.call("DELETE", `${FUNCTIONS}/hello`)).status, 404);
  assert.equal((await control.call<FunctionPage>("GET", FUNCTIONS)).body.items.length, 0);
  assert.equal((await control.call("POST", FUNCTIONS, { name: "hello" })).status, 201);
});

test("a revived function goes on counting its versions", async () => {
  await using control = await startControl();
  assert.equal((await deploy(control, "hello")).body["version"], 1);
  await control.call("DELETE", `${FUNCTIONS}/hello`);
  assert.equal((await deploy(control, "hello")).body["version"], 2);
});

test("lists are paged by cursor", async () => {
  await using control = await startControl();
  for (const name of ["aaa", "bbb", "ccc"]) await control.call("POST", FUNCTIONS, { name });
  const first = await control.call<FunctionPage>("GET", `${FUNCTIONS}?limit=2`);
  assert.deepEqual(
    first.body.items.map(({ name }) => name),
    ["aaa", "bbb"],
  );
  const cursor = encodeURIComponent(first.body.next_cursor ?? "");
  const second = await control.call<FunctionPage>("GET", `${FUNCTIONS}?limit=2&cursor=${cursor}`);
  assert.deepEqual([second.body.items.map(({ name }) => name), second.body.next_cursor], [["ccc"], null]);
});

test("what is not valid is refused with 400, a bad name with its own code", async () => {
  await using control = await startControl();
  const cases: [string, string, unknown, string][] = [
    ["POST", FUNCTIONS, { name: "Bad" }, "CS_VALIDATION_NAME_INVALID"],
    ["POST", FUNCTIONS, { name: "ab" }, "CS_VALIDATION_NAME_INVALID"],
    ["POST", FUNCTIONS, {}, "CS_VALIDATION_FAILED"],
    ["POST", FUNCTIONS, { name: "hello", extra: 1 }, "CS_VALIDATION_FAILED"],
    ["POST", FUNCTIONS, { name: "hello", runtime: "perl" }, "CS_VALIDATION_FAILED"],
    ["POST", FUNCTIONS, { name: 123 }, "CS_VALIDATION_NAME_INVALID"],
    ["POST", FUNCTIONS, [], "CS_VALIDATION_FAILED"],
    ["POST", FUNCTIONS, "{", "CS_VALIDATION_FAILED"],
    ["POST", FUNCTIONS, '{"name":"hello","__proto__":{"x":1}}', "CS_VALIDATION_FAILED"],
    ["POST", FUNCTIONS, "", "CS_VALIDATION_FAILED"],
    [
      "POST",
      "/v1/tenants/T_bad/namespaces/default/functions",
      { name: "hello" },
      "CS_VALIDATION_NAME_INVALID",
    ],
    ["POST", "/v1/tenants/t_default/namespaces/x/functions", { name: "hello" }, "CS_VALIDATION_NAME_INVALID"],
    ["GET", `${FUNCTIONS}?limit=0`, undefined, "CS_VALIDATION_FAILED"],
    ["GET", `${FUNCTIONS}?limit=501`, undefined, "CS_VALIDATION_FAILED"],
    ["GET", `${FUNCTIONS}?limit=1.5`, undefined, "CS_VALIDATION_FAILED"],
    ["GET", `${FUNCTIONS}?limit=1&limit=2`, undefined, "CS_VALIDATION_FAILED"],
    ["GET", `${FUNCTIONS}?unknown=1`, undefined, "CS_VALIDATION_FAILED"],
  ];
  for (const [method, path, body, code] of cases) {
    const answer = await control.call(method, path, body);
    assert.deepEqual(
      [answer.status, codeOf(answer.body)],
      [400, code],
      `${method} ${path} ${JSON.stringify(body)}`,
    );
  }
  assert.equal((await control.call<FunctionPage>("GET", FUNCTIONS)).body.items.length, 0);
});

test("bodies are JSON only, and bounded", async () => {
  await using control = await startControl({ limits: { controlBodyBytesMax: 1000 } });
  const form = await control.call("POST", FUNCTIONS, "name=hello", {
    "content-type": "application/x-www-form-urlencoded",
  });
  assert.deepEqual([form.status, codeOf(form.body)], [400, "CS_VALIDATION_FAILED"]);
  const large = await control.call("POST", FUNCTIONS, { name: "x".repeat(2000) });
  assert.deepEqual([large.status, codeOf(large.body)], [413, "CS_PAYLOAD_TOO_LARGE"]);
});

test("every answer has its request id, and an error shows the same", async () => {
  await using control = await startControl();
  const own = await control.call<ErrorReply>("GET", `${FUNCTIONS}/none`, undefined, {
    "x-request-id": "my-request-7",
  });
  assert.equal(own.headers.get("x-request-id"), "my-request-7");
  assert.equal(own.body.error.request_id, "my-request-7");
  const made = await control.call("GET", FUNCTIONS);
  assert.match(made.headers.get("x-request-id") ?? "", /^req_/);
  assert.equal(made.headers.get("x-content-type-options"), "nosniff");
});

test("paths that are not there, broken escapes, long queries and large headers get an envelope", async () => {
  await using control = await startControl();
  const status = async (path: string, headers: Record<string, string> = {}) => {
    const answer = await control.call("GET", path, undefined, headers);
    return [answer.status, codeOf(answer.body)];
  };
  assert.deepEqual(await status("/nothing"), [404, "CS_NOT_FOUND"]);
  const wrong = await control.call<ErrorReply>("PATCH", FUNCTIONS);
  assert.deepEqual(
    [wrong.status, codeOf(wrong.body), wrong.headers.get("allow")],
    [405, "CS_METHOD_NOT_ALLOWED", "POST, GET"],
  );
  assert.deepEqual(await status("/v1/%zz"), [400, "CS_VALIDATION_FAILED"]);
  assert.deepEqual(await status(`${FUNCTIONS}?cursor=${"x".repeat(17_000)}`), [414, "CS_QUERY_TOO_LARGE"]);
  assert.deepEqual(await status(FUNCTIONS, { "x-large": "x".repeat(66_000) }), [431, "CS_HEADERS_TOO_LARGE"]);
  assert.deepEqual(await status(`${FUNCTIONS}/${"a".repeat(200)}`), [400, "CS_VALIDATION_NAME_INVALID"]);
  assert.deepEqual(await status(`${FUNCTIONS}/${"a".repeat(300)}`), [400, "CS_VALIDATION_FAILED"]);
});

test("each change leaves a line of audit", async () => {
  await using control = await startControl();
  await deploy(control, "hello", {}, "prod");
  await control.call("DELETE", `${FUNCTIONS}/hello`);
  const events = control.lines.flatMap(
    (line) => (JSON.parse(line) as { audit?: { type: string } }).audit?.type ?? [],
  );
  assert.deepEqual(events, ["FunctionCreated", "DraftUploaded", "FunctionPublished", "FunctionDeleted"]);
});

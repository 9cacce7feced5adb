import assert from "node:assert/strict";
import test from "node:test";
import { type CallAnswer, type Ending, runGuest, type SeenCall } from "./testing/run-guest.ts";

const webEvent = {
  version: "2.0",
  routeKey: "$default",
  rawPath: "/v1/web/t_a/default/echo/prod/a%20b",
  rawQueryString: "q=1&r=%C3%BC",
  headers: { host: "api.test", "x-forwarded-proto": "https", "content-type": "text/plain", "x-odd": "a€b" },
  requestContext: { http: { method: "POST", path: "/v1/web" } },
  body: Buffer.from("hellö").toString("base64"),
  isBase64Encoded: true,
};
const web = { event: webEvent, context: { trigger: { type: "http", source: {} } } };

test("a web event becomes the request it was, and the response becomes the result", async () => {
  const code = `export default {
    name: "app",
    async fetch(request, ctx) {
      return Response.json({ url: request.url, method: request.method, type: request.headers.get("content-type"),
        odd: request.headers.get("x-odd"), text: await request.text(), self: this.name, trigger: ctx.trigger.type, class: request instanceof Request },
        { status: 201, headers: { "X-A": "1" } });
    } };`;
  const { ending, loads } = await runGuest(code, web);
  assert.equal(ending.kind, "reply");
  if (ending.kind !== "reply") return;
  assert.equal(ending.statusCode, 201);
  assert.deepEqual(ending.headers, { "content-type": "application/json", "x-a": "1" });
  assert.deepEqual(JSON.parse(ending.body), {
    url: "https://api.test/v1/web/t_a/default/echo/prod/a%20b?q=1&r=%C3%BC",
    method: "POST",
    type: "text/plain",
    odd: null,
    text: "hellö",
    self: "app",
    trigger: "http",
    class: true,
  });
  assert.deepEqual(loads, ["fetch", "url", "bytes"]);
});

/** Without the stack, which tells where the handler stands. */
const endOf = (ending: Ending): object => ({ ...ending, stack: "" });
const shown = (ending: Ending): string => (ending.kind === "reply" ? ending.body : "");

test("a get request has no body, and other triggers come as a POST of JSON", async () => {
  const code = `export default { fetch: async (request) => new Response([request.method, request.url, request.body, request.headers.get("content-type"), await request.text()].join("|")) };`;
  const get = { ...webEvent, requestContext: { http: { method: "get" } }, body: "", rawQueryString: "" };
  const first = await runGuest(code, { ...web, event: get });
  assert.equal(shown(first.ending), "GET|https://api.test/v1/web/t_a/default/echo/prod/a%20b||text/plain|");
  const second = await runGuest(code.replace("request.body, ", "request.bodyUsed, "), {
    event: { tick: 1 },
    context: { trigger: { type: "schedule", source: {} } },
  });
  assert.equal(shown(second.ending), 'POST|http://localhost/|false|application/json|{"tick":1}');
});

test("bodies that are not text come out as base64", async () => {
  const cases: [string, string, boolean][] = [
    ["new Response('text')", "text", false],
    ["new Response(null, { status: 204 })", "", false],
    ["new Response(new Uint8Array([255, 0]))", "/wA=", true],
    ["new Response(new TextEncoder().encode('é'), { headers: { 'content-type': 'text/html' } })", "é", false],
    [
      "new Response(new Uint8Array([255]), { headers: { 'content-type': 'application/json' } })",
      "/w==",
      true,
    ],
    ["new Response(new Response('ab').body)", "YWI=", true],
  ];
  for (const [expression, body, isBase64Encoded] of cases) {
    const { ending } = await runGuest(`export default { fetch: () => ${expression} };`, web);
    assert.equal(ending.kind, "reply", expression);
    if (ending.kind !== "reply") continue;
    assert.deepEqual([ending.body, ending.isBase64Encoded], [body, isBase64Encoded], expression);
  }
});

test("each cookie of a response becomes one of the result's", async () => {
  const code = `export default { fetch() {
    const headers = new Headers({ "x-a": "1" });
    headers.append("set-cookie", "a=1; Path=/");
    headers.append("set-cookie", "b=2");
    return new Response("ok", { headers });
  } };`;
  const { ending } = await runGuest(code, web);
  assert.equal(ending.kind, "reply");
  if (ending.kind !== "reply") return;
  assert.deepEqual(ending.cookies, ["a=1; Path=/", "b=2"]);
  assert.deepEqual(ending.headers, { "content-type": "text/plain;charset=UTF-8", "x-a": "1" });
});

test("a Response of a plain handler becomes the result it becomes in fetch style", async () => {
  for (const expression of [
    "new Response('hi', { status: 201, headers: { 'X-A': '1' } })",
    "Response.json({ a: 'ü' })",
    "new Response(null, { status: 204 })",
    "new Response(new Uint8Array([255, 0]))",
    "new (class extends Response {})('sub')",
    "Response.error()",
  ]) {
    const styled = await runGuest(`export default { fetch: () => ${expression} };`, web);
    for (const handler of [`() => ${expression}`, `async () => ${expression}`]) {
      const plain = await runGuest(`export default ${handler};`, web);
      assert.deepEqual(endOf(plain.ending), endOf(styled.ending), handler);
    }
  }
  const passed = await runGuest('export default async () => await fetch("https://x.test/");', {
    answer: () => ({ json: '{"status":404,"headers":{"x-a":"b"},"body":"/w==","isBase64Encoded":true}' }),
  });
  assert.deepEqual(passed.ending, {
    kind: "reply",
    statusCode: 404,
    headers: { "x-a": "b" },
    body: "/w==",
    isBase64Encoded: true,
  });
  const none = await runGuest("export default () => ({ status: 201, headers: {} });", web);
  assert.deepEqual(none.loads, []);
});

test("what is no Response, and a body that was read already, is an exception", async () => {
  for (const expression of ["'text'", "undefined", "({ statusCode: 200 })", "Response.error()"]) {
    const { ending } = await runGuest(`export default { fetch: () => ${expression} };`, web);
    assert.match(ending.kind === "fail" ? ending.message : "", /Response/, expression);
  }
  const code = "export default { async fetch() { const r = new Response('a'); await r.text(); return r; } };";
  const read = await runGuest(code, web);
  assert.match(read.ending.kind === "fail" ? read.ending.message : "", /read already/);
});

const fetching = async (
  expression: string,
  answer: (call: SeenCall) => CallAnswer,
): Promise<{ value: unknown; calls: SeenCall[]; timersLeft: number }> => {
  const { ending, calls, timersLeft } = await runGuest(
    `const later = async (f) => { try { return await f(); } catch (e) { return { name: e.name, code: e.code, cause: e.cause?.message, text: e.message }; } };
     export default async () => (${expression});`,
    { answer },
  );
  assert.equal(ending.kind, "reply", ending.kind === "fail" ? ending.message : ending.kind);
  return {
    value: ending.kind === "reply" ? JSON.parse(ending.body || "null") : undefined,
    calls,
    timersLeft,
  };
};

test("fetch is cs.http.fetch with another face", async () => {
  const json = JSON.stringify({
    status: 202,
    headers: { "Content-Type": "text/x", "set-cookie": ["a=1", "b=2"], "bad name": "x" },
    body: Buffer.from("grüß").toString("base64"),
    isBase64Encoded: true,
    url: "https://x.test/moved",
  });
  const { value, calls } = await fetching(
    `(async () => { const r = await fetch("https://x.test/a?b", { method: "post", headers: { A: "1" }, body: "ü" });
      return [r.status, r.ok, r.url, r.redirected, r.type, r.headers.get("content-type"), r.headers.getSetCookie(), await r.text()]; })()`,
    () => ({ json }),
  );
  assert.deepEqual(value, [
    202,
    true,
    "https://x.test/moved",
    true,
    "basic",
    "text/x",
    ["a=1", "b=2"],
    "grüß",
  ]);
  assert.deepEqual(calls, [
    {
      operation: "http.fetch",
      arguments: [
        "https://x.test/a?b",
        {
          method: "POST",
          redirect: "follow",
          headers: { a: "1", "content-type": "text/plain;charset=UTF-8" },
          body: "ü",
        },
      ],
    },
  ]);
});

test("several cookies of an answer stay apart, also where a handler passes it on", async () => {
  const { ending } = await runGuest('export default () => fetch("https://x.test/");', {
    answer: () => ({
      json: '{"status":200,"headers":{"set-cookie":"a=1, b=2"},"cookies":["a=1","b=2"],"body":"","isBase64Encoded":true}',
    }),
  });
  assert.equal(ending.kind, "reply");
  if (ending.kind === "reply") assert.deepEqual([ending.headers, ending.cookies], [{}, ["a=1", "b=2"]]);
});

test("fetch takes requests, URLs and bytes", async () => {
  const { value, calls } = await fetching(
    `(async () => { await fetch(new Request("https://x.test/", { method: "PUT", body: new Uint8Array([255]), redirect: "manual" }));
      return (await fetch(new URL("https://x.test/b"))).status; })()`,
    () => ({ json: '{"status":204,"headers":{},"body":"","isBase64Encoded":true}' }),
  );
  assert.equal(value, 204);
  assert.deepEqual(
    calls.map((call) => call.arguments[1]),
    [
      { method: "PUT", redirect: "manual", headers: {}, body: "/w==", isBase64Encoded: true },
      { method: "GET", redirect: "follow", headers: {} },
    ],
  );
});

test("fetch rejects with a TypeError that keeps the code and the cause", async () => {
  const { value } = await fetching(`later(() => fetch("https://x.test/"))`, () => ({
    code: "CS_RUNTIME_CAPABILITY_DENIED",
    message: "no host is allowed",
  }));
  assert.deepEqual(value, {
    name: "TypeError",
    code: "CS_RUNTIME_CAPABILITY_DENIED",
    cause: "no host is allowed",
    text: "fetch failed: no host is allowed",
  });
  const uncaught = await runGuest('export default () => fetch("https://x.test/");', {
    answer: () => ({ code: "CS_RUNTIME_CAPABILITY_DENIED", message: "no" }),
  });
  assert.equal(uncaught.ending.kind === "fail" && uncaught.ending.type, "CapabilityDenied");
  for (const input of [
    "'/relative'",
    "'https://u:p@x.test'",
    "'https://x.test', { method: 'GET', body: 'b' }",
  ]) {
    const wrong = await fetching(`later(() => fetch(${input})).then((e) => e.name)`, () => undefined);
    assert.equal(wrong.value, "TypeError", input);
    assert.deepEqual(wrong.calls, []);
  }
});

test("an abort signal ends a fetch, and a timeout that was not needed leaves nothing behind", async () => {
  const aborted = await fetching(
    `(async () => { const c = new AbortController(); const f = later(() => fetch("https://x.test/", { signal: c.signal })); await null; c.abort(); return (await f).name; })()`,
    () => undefined,
  );
  assert.equal(aborted.value, "AbortError");
  const before = await fetching(
    `later(() => fetch("https://x.test/", { signal: AbortSignal.abort("why") })).then((e) => e.name ?? "none")`,
    () => undefined,
  );
  assert.deepEqual([before.value, before.calls], ["none", []]);
  const late = await fetching(
    `later(() => fetch("https://x.test/", { signal: AbortSignal.timeout(20) })).then((e) => e.name)`,
    () => undefined,
  );
  assert.equal(late.value, "TimeoutError");
  const unneeded = await fetching(
    `fetch("https://x.test/", { signal: AbortSignal.timeout(5000) }).then((r) => r.status)`,
    () => ({
      json: '{"status":200,"headers":{},"body":"","isBase64Encoded":true}',
    }),
  );
  assert.deepEqual([unneeded.value, unneeded.timersLeft], [200, 0]);
});

import assert from "node:assert/strict";
import test from "node:test";
import { completeBudgets, LIMITS, PlatformError, type Capabilities } from "@sous/contract";
import type { HostAnswer } from "@sous/sandbox";
import { createSqliteStore } from "@sous/store";
import type { TopicMessage } from "./codeq-power.ts";
import { createEgress } from "./create-egress.ts";
import { createHostPowers } from "./create-host-powers.ts";
import type { PowerScope } from "./host-powers.ts";
import { startLocalServer } from "./local-server.fixture.ts";

const NOTHING: Capabilities = {
  kv: { prefixes: [], ops: [] },
  codeq: { publish_topics: [] },
  http: { allow_hosts: [], timeout_ms: 30_000 },
};
const SOME: Capabilities = {
  kv: { prefixes: ["a/", "user:"], ops: ["get", "set", "del"] },
  codeq: { publish_topics: ["orders", "jobs.*"] },
  http: { allow_hosts: ["127.0.0.1"], timeout_ms: 30_000 },
};

/** Powers over a real store and egress; `call` makes one call with the given arguments. */
async function open(t: { after(close: () => Promise<void>): void }) {
  const store = await createSqliteStore({ path: ":memory:" });
  const published: TopicMessage[] = [];
  const beats: string[] = [];
  const faults: unknown[] = [];
  const values = new Map<string, string>();
  const time = { nowMs: Date.now() };
  const powers = createHostPowers({
    kv: store.kv,
    publish: async (message) => void published.push(message),
    egress: createEgress({ privateAllow: ["127.0.0.1/32"] }),
    secrets: {
      async read({ name }) {
        const value = values.get(name);
        if (value === undefined)
          throw new PlatformError("CS_SECRET_NOT_FOUND", `secret ${name} has no value`);
        return value;
      },
    },
    clock: () => time.nowMs,
    heartbeat: async (_scope, json) => void beats.push(json),
    onFault: (error) => faults.push(error),
  });
  t.after(async () => {
    await powers[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  });
  const scopeOf = (over: Partial<PowerScope> = {}): PowerScope => ({
    tenant: "t_default",
    namespace: "default",
    function: "hello",
    version: 1,
    activationId: "00000000-0000-4000-8000-000000000000",
    trigger: "http",
    capabilities: SOME,
    secrets: [],
    deadlineMs: time.nowMs + 30_000,
    budgets: completeBudgets(64),
    depth: 0,
    egressBytes: 0,
    openFetches: 0,
    openFetchesPeak: 0,
    ...over,
  });
  const raw = (operation: string, argumentsJson: string, over?: Partial<PowerScope>) =>
    powers.call(scopeOf(over), { operation, argumentsJson });
  const call = (operation: string, args: unknown[], over?: Partial<PowerScope>) =>
    raw(operation, JSON.stringify(args), over);
  return { store, powers, published, beats, faults, values, time, scopeOf, raw, call };
}

function refused(answer: HostAnswer, code: string, message = /./): void {
  assert.ok(!answer.ok, "was allowed");
  assert.equal(answer.code, code, answer.message);
  assert.match(answer.message, message);
}
const DENIED = "CS_RUNTIME_CAPABILITY_DENIED";
const INVALID = "CS_VALIDATION_FAILED";

test("kv keeps, gives, expires and deletes values", async (t) => {
  const { call, time } = await open(t);
  const value = { text: "é", list: [1, null], nested: { __proto__: null, a: true } };
  assert.deepEqual(await call("kv.get", ["a/1"]), { ok: true, json: "null" });
  assert.deepEqual(await call("kv.set", ["a/1", value]), { ok: true, json: "null" });
  assert.deepEqual(await call("kv.get", ["a/1"]), { ok: true, json: JSON.stringify(value) });
  assert.deepEqual(await call("kv.del", ["a/1"]), { ok: true, json: "true" });
  assert.deepEqual(await call("kv.del", ["a/1"]), { ok: true, json: "false" });
  await call("kv.set", ["a/2", 1, { ttlSeconds: 10 }]);
  time.nowMs += 9000;
  assert.deepEqual(await call("kv.get", ["a/2"]), { ok: true, json: "1" });
  time.nowMs += 2000;
  assert.deepEqual(await call("kv.get", ["a/2"]), { ok: true, json: "null" });
});

test("kv is apart for tenants and namespaces", async (t) => {
  const { call } = await open(t);
  await call("kv.set", ["a/1", "mine"]);
  for (const other of [{ tenant: "t_others" }, { namespace: "other" }]) {
    assert.deepEqual(await call("kv.get", ["a/1"], other), { ok: true, json: "null" });
  }
});

test("kv calls that the capabilities do not cover are refused and name the line that would", async (t) => {
  const { call } = await open(t);
  const readOnly = { ...SOME, kv: { prefixes: ["a/"], ops: ["get" as const] } };
  refused(
    await call("kv.set", ["a/1", 1], { capabilities: readOnly }),
    DENIED,
    /add "set" to capabilities\.kv\.ops/,
  );
  refused(
    await call("kv.del", ["a/1"], { capabilities: readOnly }),
    DENIED,
    /capabilities\.kv\.ops in manifest/,
  );
  for (const key of ["ab", "a", "A/1", "b/a/", "/a/1", "users", "cs:kv:t_default"]) {
    refused(await call("kv.get", [key]), DENIED, /capabilities\.kv\.prefixes/);
  }
  refused(await call("kv.get", ["a/1"], { capabilities: NOTHING }), DENIED);
});

const badKv: [string, string, unknown[]][] = [
  ["no key", "kv.get", []],
  ["a number as key", "kv.get", [1]],
  ["an object as key", "kv.get", [{ toString: "a/1" }]],
  ["an empty key", "kv.get", [""]],
  ["a newline in the key", "kv.get", ["a/\n"]],
  ["a NUL in the key", "kv.get", ["a/\0"]],
  ["half a character in the key", "kv.get", ["a/\ud800"]],
  ["a key over 512 bytes", "kv.get", [`a/${"é".repeat(256)}`]],
  ["no value", "kv.set", ["a/1"]],
  ["a time to live of 0", "kv.set", ["a/1", 1, { ttlSeconds: 0 }]],
  ["a negative time to live", "kv.set", ["a/1", 1, { ttlSeconds: -1 }]],
  ["a fraction of a second", "kv.set", ["a/1", 1, { ttlSeconds: 1.5 }]],
  ["a time to live as text", "kv.set", ["a/1", 1, { ttlSeconds: "60" }]],
  ["an endless time to live", "kv.set", ["a/1", 1, { ttlSeconds: 1e300 }]],
  ["options as a list", "kv.set", ["a/1", 1, []]],
  ["options as text", "kv.set", ["a/1", 1, "60"]],
];
test("bad kv arguments are refused and change nothing", async (t) => {
  const { call } = await open(t);
  for (const [name, operation, args] of badKv) {
    await t.test(name, async () => refused(await call(operation, args), INVALID, /^cs\.kv\./));
  }
  assert.deepEqual(await call("kv.get", ["a/1"]), { ok: true, json: "null" });
});

test("a key of 512 bytes and a value of 256 KiB pass, one more does not", async (t) => {
  const { call } = await open(t);
  const key = `a/${"x".repeat(LIMITS.kvKeyBytesMax - 2)}`;
  const value = "x".repeat(LIMITS.kvValueBytesMax - 2);
  assert.equal((await call("kv.set", [key, value])).ok, true);
  refused(await call("kv.set", [key, `${value}x`]), "CS_PAYLOAD_TOO_LARGE");
  refused(await call("kv.set", [key, "é".repeat(LIMITS.kvValueBytesMax / 2)]), "CS_PAYLOAD_TOO_LARGE");
});

test("codeq hands a message over with its tenant and namespace", async (t) => {
  const { call, published } = await open(t);
  assert.deepEqual(await call("codeq.publish", ["jobs.mail", { to: "x" }]), { ok: true, json: "null" });
  assert.deepEqual(await call("codeq.publish", ["orders", null]), { ok: true, json: "null" });
  assert.deepEqual(published[0], {
    tenant: "t_default",
    namespace: "default",
    topic: "jobs.mail",
    payloadJson: '{"to":"x"}',
    activationId: "00000000-0000-4000-8000-000000000000",
    depth: 1,
  });
});

test("codeq refuses topics off the list, the platform's own always", async (t) => {
  const { call, published } = await open(t);
  for (const topic of ["order", "orders.x", "jobs", "jobsx"]) {
    refused(await call("codeq.publish", [topic, 1]), DENIED, /capabilities\.codeq\.publishTopics/);
  }
  const all = { ...SOME, codeq: { publish_topics: ["*", "cs.*", "cs.invoke", "CS.invoke"] } };
  for (const topic of ["cs.invoke", "cs.results", "cs.x", "cs", "CS.invoke", "Cs.Dlq.Invoke"]) {
    refused(await call("codeq.publish", [topic, 1], { capabilities: all }), DENIED, /platform's own/);
  }
  for (const args of [
    [],
    [1, 1],
    ["", 1],
    ["a b", 1],
    ["a\n", 1],
    ["../x", 1],
    ["x".repeat(200), 1],
    ["orders"],
  ]) {
    refused(await call("codeq.publish", args, { capabilities: all }), INVALID);
  }
  refused(
    await call("codeq.publish", ["orders", "x".repeat(LIMITS.codeqPayloadBytesMax)]),
    "CS_PAYLOAD_TOO_LARGE",
  );
  assert.equal(published.length, 0);
  assert.equal((await call("codeq.publish", ["csv", 1], { capabilities: all })).ok, true);
});

test("http answers with status, headers and a base64 body, and counts what passed", async (t) => {
  const { powers, scopeOf } = await open(t);
  const bodies: string[] = [];
  await using server = await startLocalServer((request, response) => {
    let body = "";
    request.on("data", (piece: Buffer) => (body += piece.toString()));
    request.on("end", () => {
      bodies.push(body);
      response.writeHead(201, { "X-One": "1" }).end(Buffer.from([0, 255, 1]));
    });
  });
  const scope = scopeOf();
  const text = { method: "post", headers: { "Content-Type": "text/plain" }, body: "é" };
  const bytes = { method: "PUT", body: Buffer.from("bytes").toString("base64"), isBase64Encoded: true };
  for (const options of [text, bytes]) {
    const argumentsJson = JSON.stringify([`${server.origin}/x`, options]);
    const answer = await powers.call(scope, { operation: "http.fetch", argumentsJson });
    assert.ok(answer.ok, JSON.stringify(answer));
    const { status, headers, body, isBase64Encoded, url } = JSON.parse(answer.json);
    assert.deepEqual([status, headers["x-one"], body, isBase64Encoded], [201, "1", "AP8B", true]);
    assert.equal(url, `${server.origin}/x`);
  }
  assert.deepEqual(bodies, ["é", "bytes"]);
  assert.ok(scope.egressBytes > 200, `${scope.egressBytes} bytes`);
});

test("several cookies of an answer are told one by one too, a single one among the headers alone", async (t) => {
  const { powers, scopeOf } = await open(t);
  let cookies = ["a=1; Path=/", "b=2"];
  await using server = await startLocalServer((_request, response) => {
    response.writeHead(200, { "Set-Cookie": cookies }).end();
  });
  const answered = async () => {
    const argumentsJson = JSON.stringify([server.origin]);
    const answer = await powers.call(scopeOf(), { operation: "http.fetch", argumentsJson });
    assert.ok(answer.ok, JSON.stringify(answer));
    const { headers, cookies: told } = JSON.parse(answer.json);
    return [headers["set-cookie"], told];
  };
  assert.deepEqual(await answered(), ["a=1; Path=/, b=2", cookies]);
  cookies = ["a=1"];
  assert.deepEqual(await answered(), ["a=1", undefined]);
});

test("http calls that the capabilities do not cover are refused and name the line that would", async (t) => {
  const { call } = await open(t);
  const line = /capabilities\.http\.allowHosts/;
  refused(await call("http.fetch", ["https://127.0.0.1/"], { capabilities: NOTHING }), DENIED, line);
  refused(
    await call("http.fetch", ["https://example.com/"]),
    DENIED,
    /"example\.com" to capabilities\.http\.allowHosts/,
  );
  const metadata = { ...SOME, http: { allow_hosts: ["169.254.169.254"], timeout_ms: 1000 } };
  refused(
    await call("http.fetch", ["http://169.254.169.254/"], { capabilities: metadata }),
    DENIED,
    /public/,
  );
});

test("an http call takes no longer than asked, allowed, or left", async (t) => {
  const { call, time } = await open(t);
  await using server = await startLocalServer(() => undefined);
  const short = { ...SOME, http: { ...SOME.http, timeout_ms: 150 } };
  const late = /no answer within 150 ms/;
  const FAILED = "CS_RUNTIME_EGRESS_FAILED";
  refused(await call("http.fetch", [server.origin, { timeoutMs: 150 }]), FAILED, late);
  refused(
    await call("http.fetch", [server.origin, { timeoutMs: 9000 }], { capabilities: short }),
    FAILED,
    late,
  );
  refused(await call("http.fetch", [server.origin], { deadlineMs: time.nowMs + 150 }), FAILED, late);
  refused(await call("http.fetch", [server.origin], { deadlineMs: time.nowMs }), FAILED, /no time/);
});

const badHttp: [string, unknown[]][] = [
  ["no URL", []],
  ["a number as URL", [1]],
  ["no absolute URL", ["/x"]],
  ["an unknown method", ["http://127.0.0.1/", { method: "BREW" }]],
  ["CONNECT", ["http://127.0.0.1/", { method: "CONNECT" }]],
  ["TRACE", ["http://127.0.0.1/", { method: "TRACE" }]],
  ["a method with CRLF", ["http://127.0.0.1/", { method: "GET /x HTTP/1.1\r\nHost: x\r\n\r\nGET" }]],
  ["a list as method", ["http://127.0.0.1/", { method: ["GET"] }]],
  ["a header with CRLF", ["http://127.0.0.1/", { headers: { x: "a\r\nhost: b" } }]],
  ["headers as a list", ["http://127.0.0.1/", { headers: [["x", "y"]] }]],
  ["a body of a GET", ["http://127.0.0.1/", { body: "x" }]],
  ["an object as body", ["http://127.0.0.1/", { method: "POST", body: {} }]],
  ["a body that is not base64", ["http://127.0.0.1/", { method: "POST", body: "ä", isBase64Encoded: true }]],
  ["no time", ["http://127.0.0.1/", { timeoutMs: 0 }]],
  ["time as text", ["http://127.0.0.1/", { timeoutMs: "1" }]],
  ["another redirect", ["http://127.0.0.1/", { redirect: "x" }]],
  ["options as text", ["http://127.0.0.1/", "x"]],
];
test("bad http arguments are refused", async (t) => {
  const { call } = await open(t);
  for (const [name, args] of badHttp) {
    await t.test(name, async () => refused(await call("http.fetch", args), INVALID, /^cs\.http\.fetch/));
  }
  const large = { method: "POST", body: "x".repeat(LIMITS.httpRequestBytesMax + 1) };
  refused(await call("http.fetch", ["http://127.0.0.1/", large]), "CS_PAYLOAD_TOO_LARGE");
});

test("heartbeats are for activations of Cadence only", async (t) => {
  const { call, beats } = await open(t);
  refused(await call("cadence.heartbeat", [{ done: 1 }]), DENIED, /Cadence started/);
  assert.equal((await call("cadence.heartbeat", [{ done: 1 }], { trigger: "cadence" })).ok, true);
  assert.equal((await call("cadence.heartbeat", [], { trigger: "cadence" })).ok, true);
  assert.deepEqual(beats, ['{"done":1}', "null"]);
});

const HOSTILE = [
  "",
  "null",
  "{}",
  '"x"',
  "[",
  "[1,",
  "undefined",
  "[undefined]",
  "NaN",
  "[1]x",
  "\0",
  "[[[[",
  '["__proto__"]',
  '["a/1",{"__proto__":{"polluted":1}},{"__proto__":{"ttlSeconds":1}}]',
  '["http://127.0.0.1/",{"__proto__":{"method":"POST"}}]',
  '["a/1",1,{"constructor":{"prototype":{"polluted":1}}}]',
  "[1,2,3,4,5,6,7,8,9]",
  `[${"[".repeat(100_000)}${"]".repeat(100_000)}]`,
  `["a/deep",${"[".repeat(200_000)}${"]".repeat(200_000)}]`,
  `["a/1",${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}]`,
  `["${"x".repeat(9_000_000)}"]`,
];
const OPERATIONS = [
  "kv.get",
  "kv.set",
  "kv.del",
  "codeq.publish",
  "http.fetch",
  "cadence.heartbeat",
  "secrets.get",
  "",
  "kv",
  "kv.list",
  "__proto__",
  "constructor",
  "toString",
  "kv.get ",
];
test("whatever the arguments are, there is an answer, and no prototype changes", async (t) => {
  const { raw, faults } = await open(t);
  for (const operation of OPERATIONS) {
    for (const argumentsJson of HOSTILE) {
      const answer = await raw(operation, argumentsJson, { trigger: "cadence" });
      const seen = `${operation} ${argumentsJson.slice(0, 40)}`;
      if (answer.ok) JSON.parse(answer.json);
      else assert.match(answer.code, /^CS_(VALIDATION_FAILED|PAYLOAD_TOO_LARGE|RUNTIME_)/, seen);
    }
  }
  assert.deepEqual(faults, []);
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
  assert.equal(({} as Record<string, unknown>)["ttlSeconds"], undefined);
});

test("a fault of ours is told without its details, and told to us with them", async (t) => {
  const { store, scopeOf } = await open(t);
  const faults: unknown[] = [];
  const powers = createHostPowers({
    kv: store.kv,
    publish: () => Promise.reject(new TypeError("password=hunter2")),
    egress: createEgress(),
    secrets: { read: () => Promise.reject(new TypeError("not asked")) },
    clock: Date.now,
    onFault: (error) => faults.push(error),
  });
  const answer = await powers.call(scopeOf(), { operation: "codeq.publish", argumentsJson: '["orders",1]' });
  await powers[Symbol.asyncDispose]();
  refused(answer, "CS_INTERNAL");
  assert.doesNotMatch(JSON.stringify(answer), /hunter2/);
  assert.equal(faults.length, 1);
});

import assert from "node:assert/strict";
import test from "node:test";
import { completeBudgets, PlatformError, type SecretGrant } from "@sous/contract";
import type { HostAnswer, SandboxOutcome } from "@sous/sandbox";
import { createSqliteStore } from "@sous/store";
import { createEgress } from "./create-egress.ts";
import { createHostPowers } from "./create-host-powers.ts";
import type { PowerScope, SecretGuard } from "./host-powers.ts";
import { type LocalServer, startLocalServer } from "./local-server.fixture.ts";

const VALUE = "sk_live_51H8x/not+real";
const DENIED = "CS_RUNTIME_CAPABILITY_DENIED";
const REF = "kv:t_default/default/stripe_key";
const HOSTS = ["127.0.0.1", "127.0.0.2", "localhost", "example.com"];

type Call = (operation: string, args: unknown[], over?: Partial<PowerScope>) => Promise<HostAnswer>;

/** Powers over a set of values, by name; the version of `call` has the given grants. */
async function open(t: { after(close: () => Promise<void>): void }, secrets: SecretGrant[]) {
  const store = await createSqliteStore({ path: ":memory:" });
  const values = new Map([["stripe_key", VALUE]]);
  const powers = createHostPowers({
    kv: store.kv,
    publish: async () => {},
    egress: createEgress({ privateAllow: ["127.0.0.0/8"] }),
    secrets: {
      async read({ name }) {
        const value = values.get(name);
        if (value === undefined)
          throw new PlatformError("CS_SECRET_NOT_FOUND", `secret ${name} has no value`);
        return value;
      },
    },
    clock: Date.now,
  });
  t.after(async () => {
    await powers[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  });
  const scope: PowerScope = {
    tenant: "t_default",
    namespace: "default",
    function: "hello",
    version: 1,
    activationId: "00000000-0000-4000-8000-000000000000",
    trigger: "http",
    secrets,
    capabilities: {
      kv: { prefixes: [], ops: [] },
      codeq: { publish_topics: [] },
      http: { allow_hosts: HOSTS, timeout_ms: 30_000 },
    },
    deadlineMs: Date.now() + 30_000,
    budgets: completeBudgets(64),
    depth: 0,
    egressBytes: 0,
    openFetches: 0,
    openFetchesPeak: 0,
  };
  const call: Call = (operation, args, over) =>
    powers.call({ ...scope, ...over }, { operation, argumentsJson: JSON.stringify(args) });
  const guard = powers.guardOf(scope) as SecretGuard;
  return { call, values, guard, powers, scope };
}

function refused(answer: HostAnswer, code: string, message = /./): void {
  assert.ok(!answer.ok, `was allowed: ${JSON.stringify(answer)}`);
  assert.equal(answer.code, code, answer.message);
  assert.match(answer.message, message);
  assert.ok(!answer.message.includes(VALUE));
}
async function given(answer: Promise<HostAnswer>): Promise<string> {
  const settled = await answer;
  assert.ok(settled.ok, JSON.stringify(settled));
  return JSON.parse(settled.json) as string;
}
/** A server that says which headers it got. */
const echo = (seen: Record<string, unknown>[]): Promise<LocalServer> =>
  startLocalServer((request, response) => {
    seen.push(request.headers);
    response.end(JSON.stringify(request.headers));
  });

test("the code gets the secrets of its version by short and by long name, and no others", async (t) => {
  const { call, values } = await open(t, [REF, "kv:t_default/payments/paypal"]);
  values.set("other", "unlisted value").set("paypal", "paypal value");
  assert.equal(await given(call("secrets.get", ["stripe_key"])), VALUE);
  assert.equal(await given(call("secrets.get", [REF])), VALUE);
  assert.equal(await given(call("secrets.get", ["paypal"])), "paypal value");
  for (const name of [
    "other",
    "kv:t_default/default/other",
    "kv:t_default/default/paypal",
    "",
    "__proto__",
  ]) {
    refused(await call("secrets.get", [name]), DENIED, /is not one of the version's.*--secrets/);
  }
  refused(await call("secrets.get", ["stripe_key"], { secrets: [], version: 2 }), DENIED);
  for (const args of [[], [1], [{}], ["\ud800"]]) {
    refused(await call("secrets.get", args), "CS_VALIDATION_FAILED");
  }
});

test("a new value is there at once, and a missing one says what to do", async (t) => {
  const { call, values } = await open(t, [REF]);
  values.set("stripe_key", "second value");
  assert.equal(await given(call("secrets.get", ["stripe_key"])), "second value");
  values.delete("stripe_key");
  refused(await call("secrets.get", ["stripe_key"]), "CS_SECRET_NOT_FOUND", /no value/);
});

test("values that code got are taken out of logs and errors, old ones too, and left in results", async (t) => {
  const { call, values, guard } = await open(t, [REF]);
  assert.equal(guard.line(VALUE), VALUE, "nobody has it yet");
  await call("secrets.get", ["stripe_key"]);
  values.set("stripe_key", "second value");
  await call("secrets.get", ["stripe_key"]);
  values.set("stripe_key", "third value\n");
  await call("secrets.get", ["stripe_key"]);
  assert.equal(
    guard.line(`key=${VALUE}, then second value, then third value`),
    "key=[redacted], then [redacted], then [redacted]",
  );
  const failed = guard.outcome({
    status: "error",
    error: { type: "Exception", message: `no ${VALUE}`, stack: `Error: no ${VALUE}\n  at a` },
  } as SandboxOutcome);
  assert.deepEqual(failed.error, {
    type: "Exception",
    message: "no [redacted]",
    stack: "Error: no [redacted]\n  at a",
  });
  const result = { statusCode: 200, headers: {}, body: VALUE, isBase64Encoded: false };
  const answered = guard.outcome({ status: "success", result } as unknown as SandboxOutcome);
  assert.deepEqual(answered.result, result);
});

test("a version without secrets has no guard", async (t) => {
  const { powers, scope } = await open(t, [REF]);
  assert.equal(powers.guardOf({ ...scope, version: 2, secrets: [] }), undefined);
});

test("of a bound secret the code gets a placeholder that differs by version and by process", async (t) => {
  const grants = [{ name: REF, host: "127.0.0.1" }];
  const { call } = await open(t, grants);
  const placeholder = await given(call("secrets.get", ["stripe_key"]));
  assert.match(placeholder, /^sous_secret_[0-9a-f]{40}$/);
  assert.equal(await given(call("secrets.get", ["stripe_key"])), placeholder);
  assert.notEqual(await given(call("secrets.get", ["stripe_key"], { version: 2 })), placeholder);
  const other = await open(t, grants);
  assert.notEqual(await given(other.call("secrets.get", ["stripe_key"])), placeholder);
});

test("the value goes out in the headers of a call to its host, alone, in a text and in Basic", async (t) => {
  const seen: Record<string, unknown>[] = [];
  await using server = await echo(seen);
  const { call } = await open(t, [{ name: REF, host: "127.0.0.1" }]);
  const placeholder = await given(call("secrets.get", ["stripe_key"]));
  const headers = {
    authorization: `Bearer ${placeholder}`,
    "x-twice": `${placeholder},${placeholder}`,
    "proxy-authorization": placeholder,
    "x-basic": `Basic ${Buffer.from(`${placeholder}:`).toString("base64")}`,
    "x-plain": "Basic bm90aGluZw==",
  };
  assert.ok((await call("http.fetch", [server.origin, { headers }])).ok);
  const [got] = seen;
  assert.equal(got?.["authorization"], `Bearer ${VALUE}`);
  assert.equal(got?.["x-twice"], `${VALUE},${VALUE}`);
  assert.equal(got?.["x-basic"], `Basic ${Buffer.from(`${VALUE}:`).toString("base64")}`);
  assert.equal(got?.["x-plain"], "Basic bm90aGluZw==");
  assert.equal(got?.["proxy-authorization"], undefined);
});

test("a placeholder for another host, header, scheme or place of the call is refused, and nothing goes out", async (t) => {
  const seen: Record<string, unknown>[] = [];
  await using server = await echo(seen);
  await using other = await startLocalServer((_request, response) => response.end(), "127.0.0.2");
  const { call } = await open(t, [
    { name: REF, host: "127.0.0.1", header: "X-Api-Key" },
    { name: REF, host: "example.com" },
  ]);
  const placeholder = await given(call("secrets.get", ["stripe_key"]));
  const foreign = await given(call("secrets.get", ["stripe_key"], { version: 2 }));
  const to = (url: string, name: string, text = placeholder) =>
    call("http.fetch", [url, { headers: { [name]: text } }]);
  refused(await to(other.origin, "x-api-key"), DENIED, /is not for 127\.0\.0\.2/);
  refused(await to(server.origin, "authorization"), DENIED, /not for the header authorization/);
  refused(await to(server.origin, "x-api-key", foreign), DENIED, /not one of this version's/);
  refused(await to("http://example.com/", "x-api-key"), DENIED, /https only/);
  const anywhere = /headers only/;
  refused(await call("http.fetch", [`${server.origin}/?key=${placeholder}`]), DENIED, anywhere);
  const body = { method: "POST", body: `{"key":"${placeholder}"}` };
  refused(await call("http.fetch", [server.origin, body]), DENIED, anywhere);
  const bytes = { method: "POST", body: Buffer.from(body.body).toString("base64"), isBase64Encoded: true };
  refused(await call("http.fetch", [server.origin, bytes]), DENIED, anywhere);
  assert.equal(seen.length + other.requests.length, 0);
  assert.ok((await to(server.origin, "X-API-Key")).ok);
  assert.equal(seen[0]?.["x-api-key"], VALUE);
});

test("a redirect takes the value along on its host and leaves it behind for any other", async (t) => {
  const elsewhere: Record<string, unknown>[] = [];
  const there: Record<string, unknown>[] = [];
  await using other = await startLocalServer((request, response) => {
    elsewhere.push(request.headers);
    response.end();
  }, "127.0.0.2");
  await using server = await startLocalServer((request, response) => {
    there.push(request.headers);
    const location = request.url === "/away" ? other.origin : "/end";
    response.writeHead(request.url === "/end" ? 200 : 307, { location }).end();
  });
  const { call } = await open(t, [{ name: REF, host: "127.0.0.1" }]);
  const placeholder = await given(call("secrets.get", ["stripe_key"]));
  const headers = { "x-custom": placeholder, authorization: placeholder, "x-other": "kept" };
  for (const path of ["/home", "/away"]) {
    assert.ok((await call("http.fetch", [server.origin + path, { headers }])).ok);
  }
  assert.deepEqual(
    there.map((seen) => [seen["x-custom"], seen["authorization"]]),
    [
      [VALUE, VALUE],
      [VALUE, VALUE],
      [VALUE, VALUE],
    ],
  );
  assert.equal(elsewhere.length, 1);
  assert.doesNotMatch(JSON.stringify(elsewhere), /sk_live|sous_secret/);
  assert.equal(elsewhere[0]?.["x-other"], "kept");
});

test("a bound value that comes back is taken out of results, logs and errors", async (t) => {
  await using server = await echo([]);
  const { call, guard } = await open(t, [{ name: REF, host: "127.0.0.1" }]);
  const placeholder = await given(call("secrets.get", ["stripe_key"]));
  assert.ok((await call("http.fetch", [server.origin, { headers: { "x-key": placeholder } }])).ok);
  assert.equal(guard.line(`got ${VALUE}`), "got [redacted]");
  const resultOf = (body: string, isBase64Encoded: boolean) =>
    guard.outcome({
      status: "success",
      result: {
        statusCode: 200,
        headers: { "x-echo": VALUE },
        cookies: ["a=1", `k=${VALUE}`],
        body,
        isBase64Encoded,
      },
    } as unknown as SandboxOutcome).result;
  assert.deepEqual(resultOf(`{"k":"${VALUE}"}`, false), {
    statusCode: 200,
    headers: { "x-echo": "[redacted]" },
    cookies: ["a=1", "k=[redacted]"],
    body: '{"k":"[redacted]"}',
    isBase64Encoded: false,
  });
  const bytes = Buffer.concat([Buffer.from([0, 255, 128]), Buffer.from(VALUE), Buffer.from([254])]);
  const clean = Buffer.from(resultOf(bytes.toString("base64"), true)?.body ?? "", "base64");
  assert.deepEqual(
    clean,
    Buffer.concat([Buffer.from([0, 255, 128]), Buffer.from("[redacted]"), Buffer.from([254])]),
  );
  const untouched = Buffer.from([0, 255, 128]).toString("base64");
  assert.equal(resultOf(untouched, true)?.body, untouched);
});

test("a bound value that cannot stand in a header is refused, line breaks at its ends are no matter", async (t) => {
  const seen: Record<string, unknown>[] = [];
  await using server = await echo(seen);
  const { call, values } = await open(t, [{ name: REF, host: "127.0.0.1" }]);
  const placeholder = await given(call("secrets.get", ["stripe_key"]));
  const send = () => call("http.fetch", [server.origin, { headers: { "x-key": placeholder } }]);
  for (const bad of ["a\r\nx: y", "a\nb", "a\0b", "👋👋👋", " \n ", "x".repeat(20_000)]) {
    values.set("stripe_key", bad);
    refused(await send(), "CS_SECRET_UNAVAILABLE", /cannot stand in a header/);
  }
  values.set("stripe_key", `${VALUE}\n`);
  assert.ok((await send()).ok);
  assert.deepEqual(
    seen.map((headers) => headers["x-key"]),
    [VALUE],
  );
  values.delete("stripe_key");
  refused(await send(), "CS_SECRET_NOT_FOUND");
});

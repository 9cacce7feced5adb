import assert from "node:assert/strict";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { json } from "node:stream/consumers";
import test from "node:test";
import { createMemoryCodeQ } from "@sous/codeq";
import type { ErrorReply, Invocation } from "@sous/contract";
import type { InvocationReply } from "../activations/invocation-reply.ts";
import { activation, ACTIVATIONS, FUNCTIONS } from "./testing/sample-function.ts";
import { startControl } from "./testing/start-control.ts";

interface Operation {
  summary?: string;
  security?: unknown[];
  requestBody?: { content: Record<string, { schema: { properties?: object } }> };
  responses: Record<string, unknown>;
  parameters?: { in: string; name: string }[];
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
}

test("health, readiness and metrics answer without a token", async () => {
  await using control = await startControl();
  assert.deepEqual((await control.call("GET", "/healthz")).body, { status: "ok" });
  const ready = await control.call("GET", "/readyz");
  assert.deepEqual(
    [ready.status, ready.body],
    [200, { status: "ready", checks: { store: "ok", codeq: "ok" } }],
  );
  await control.call("GET", FUNCTIONS);
  const metrics = await fetch(`${control.url}/metrics`);
  assert.match(metrics.headers.get("content-type") ?? "", /^text\/plain/);
  const text = await metrics.text();
  assert.match(
    text,
    /cs_api_requests_total\{route="\/v1\/tenants\/\{tenant\}\/namespaces\/\{namespace\}\/functions",method="GET",status="200"\} 1/,
  );
});

test("without a store the process is not ready, and says what is wrong", async () => {
  await using control = await startControl();
  await control.store[Symbol.asyncDispose]();
  const ready = await control.call<{ status: string; checks: Record<string, string> }>("GET", "/readyz");
  assert.equal(ready.status, 503);
  assert.equal(ready.body.status, "unready");
  assert.match(ready.body.checks["store"] ?? "", /^CS_STORE_/);
  assert.equal(ready.body.checks["codeq"], "ok");
  const write = await control.call<ErrorReply>("POST", FUNCTIONS, { name: "hello" });
  assert.equal(write.status, 503);
  assert.equal((await control.call("GET", "/healthz")).status, 200);
});

test("a process that is shutting down says so", async () => {
  await using control = await startControl({ draining: () => true });
  const ready = await control.call("GET", "/readyz");
  assert.deepEqual([ready.status, ready.body["status"]], [503, "draining"]);
});

test("OpenAPI 3.1 lists the endpoints of every kind, validated by the same schemas", async () => {
  await using control = await startControl();
  const { body } = await control.call<Document>("GET", "/openapi.json");
  assert.match(body.openapi, /^3\.1/);
  const namespace = "/v1/tenants/{tenant}/namespaces/{namespace}";
  const functions = `${namespace}/functions`;
  const expected: [string, string][] = [
    ["post", functions],
    ["get", functions],
    ["get", `${functions}/{name}`],
    ["delete", `${functions}/{name}`],
    ["get", `${functions}/{name}/logs`],
    ["put", `${functions}/{name}/draft`],
    ["post", `${functions}/{name}/versions`],
    ["get", `${functions}/{name}/versions/{version}/files`],
    ["put", `${functions}/{name}/aliases/{alias}`],
    ["post", `${functions}/{name}:invoke`],
    ["post", "/v1/functions/{name}:invoke"],
    ["post", "/v1/functions/{name}:enqueue"],
    ["post", "/v1/web/{tenant}/{namespace}/{function}/{ref}/{*}"],
    ["get", "/v1/tenants/{tenant}/activations/{activation_id}/logs"],
    ["post", "/v1/tenants/{tenant}/activations/{activation_id}:cancel"],
    ["post", `${namespace}/schedules`],
    ["post", `${namespace}/schedules/{name}:run`],
    ["post", `${namespace}/event-sources`],
    ["post", `${namespace}/event-sources/{name}:pause`],
    ["post", "/v1/events/{tenant}/{namespace}/{name}"],
    ["patch", `${namespace}/cadence/workers/{name}`],
    ["post", `${namespace}/dlq:redrive`],
    ["post", `${namespace}/dlq:purge`],
    ["put", `${namespace}/secrets/{name}`],
    ["post", "/v1/tokens"],
    ["patch", "/v1/tenants/{tenant}/users/{user}"],
    ["get", "/v1/tenants/{tenant}/audit-events"],
    ["get", "/v1/executions/{execution_id}"],
    ["get", "/readyz"],
  ];
  for (const [method, path] of expected) assert.ok(body.paths[path]?.[method], `${method} ${path}`);
  const create = body.paths[functions]?.["post"];
  assert.ok(create?.requestBody?.content["application/json"]?.schema.properties);
  assert.deepEqual(create.security, [{ bearer: [] }]);
  assert.ok(create.responses["201"] && create.responses["default"]);
  assert.equal(body.paths["/healthz"]?.["get"]?.security, undefined);
  const headersOf = (path: string): string[] =>
    (body.paths[path]?.["post"]?.parameters ?? [])
      .filter((one) => one.in === "header")
      .map(({ name }) => name);
  const call = ["idempotency-key", "x-timeout-ms", "traceparent", "x-trace-id"];
  assert.deepEqual(headersOf("/v1/functions/{name}:invoke"), call);
  assert.deepEqual(headersOf("/v1/functions/{name}:enqueue"), [...call, "x-delay-ms"]);
  const web = "/v1/web/{tenant}/{namespace}/{function}/{ref}/{*}";
  assert.deepEqual(headersOf(web), [...call, "x-delay-ms", "prefer"]);
  assert.ok(body.paths[web]?.["post"]?.responses["202"]);
});

test("the pages of /docs come from this server and may load nothing else", async () => {
  await using control = await startControl();
  const page = await fetch(`${control.url}/docs`);
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-security-policy") ?? "", /default-src 'self'/);
  assert.equal(page.headers.get("x-content-type-options"), "nosniff");
  assert.match(page.headers.get("x-request-id") ?? "", /^req_/);
  const html = await page.text();
  assert.doesNotMatch(html, /(src|href)="https?:/);
  const script = /src="([^"]+bundle\.js)"/.exec(html)?.[1] ?? "";
  assert.equal((await fetch(new URL(script, `${control.url}/docs/`))).status, 200);
  // As they stand: fetch would shorten them.
  for (const path of ["/docs/nothing", "/docs/../healthz", "/docs/%2e%2e/v1/tokens", "/docs/static//x"]) {
    const sent = get({ host: "127.0.0.1", port: new URL(control.url).port, path });
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    const answer = (await json(response)) as ErrorReply;
    assert.deepEqual([response.statusCode, answer.error.code], [404, "CS_NOT_FOUND"], path);
  }
});

test("the endpoints that run functions say that there is no gateway, whatever they are sent", async () => {
  await using alone = await startControl();
  const paths = [
    `${FUNCTIONS}/hello:invoke`,
    "/v1/functions/hello:invoke",
    "/v1/functions/hello@prod:enqueue",
    "/v1/web/t_default/default/hello/prod/a%2Fb?c=d",
  ];
  for (const path of paths) {
    const missing = await alone.call<ErrorReply>("POST", path, "not json", { "content-type": "text/plain" });
    assert.deepEqual([missing.status, missing.body.error.code], [404, "CS_NOT_FOUND"]);
    assert.match(missing.body.error.message, /ask a gateway/);
  }
});

test("a fault of our own is logged with its cause and not shown", async () => {
  const codeq = await createMemoryCodeQ<Invocation, InvocationReply>({ clock: Date.now });
  await using control = await startControl({
    codeq: {
      ...codeq,
      cancel: () => Promise.reject(new TypeError("secret of the house")),
      check: () => Promise.resolve(),
      reply: () => false,
    },
  });
  const record = activation();
  await control.store.activations.create(record);
  const answer = await control.call<ErrorReply>("POST", `${ACTIVATIONS}/${record.activation_id}:cancel`);
  assert.deepEqual([answer.status, answer.body.error.code], [500, "CS_INTERNAL"]);
  assert.doesNotMatch(JSON.stringify(answer.body), /secret of the house/);
  const line = control.lines.find((text) => text.includes("secret of the house"));
  assert.match(line ?? "", new RegExp(answer.body.error.request_id));
});

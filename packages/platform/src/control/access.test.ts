import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import type { CreateTokenReply, ErrorReply, TokenPage } from "@sous/contract";
import { createLocalAuthenticator } from "../auth/local-authenticator.ts";
import { issueToken } from "../auth/local-token.ts";
import { ACTIVATIONS, deploy, FUNCTIONS } from "./testing/sample-function.ts";
import { startControl } from "./testing/start-control.ts";

const outcome = ({ status, body }: { status: number; body: unknown }) => [
  status,
  (body as ErrorReply).error.code,
];
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function startWithTokens() {
  const control = await startControl({
    auth: (store, clock) => createLocalAuthenticator({ store, clock }),
  });
  const issue = async (roles: string[], tenant = "t_default") =>
    bearer(
      (
        await issueToken({
          tokens: control.store.tokens,
          tenant,
          principal: { sub: "alice", roles },
          expiresAtMs: null,
          clock: () => control.state.nowMs,
          randomBytes,
        })
      ).token,
    );
  return Object.assign(control, { issue });
}

const SECRETS = "/v1/tenants/t_default/namespaces/default/secrets";
const ID = "00000000-0000-4000-8000-000000000000";
/** Every endpoint with the one action that opens it; the answer then is anything but 401 and 403. */
const ENDPOINTS: [string, string, string, unknown?][] = [
  ["POST", FUNCTIONS, "cs:function:create", { name: "hello" }],
  ["GET", FUNCTIONS, "cs:function:read"],
  ["GET", `${FUNCTIONS}/hello`, "cs:function:read"],
  ["DELETE", `${FUNCTIONS}/hello`, "cs:function:delete"],
  ["GET", `${FUNCTIONS}/hello/logs`, "cs:activation:read"],
  ["PUT", `${FUNCTIONS}/hello/draft`, "cs:function:draft:upload", { files: { a: "" } }],
  ["POST", `${FUNCTIONS}/hello/versions`, "cs:function:publish", { draft_id: "drf_0" }],
  ["GET", `${FUNCTIONS}/hello/versions`, "cs:function:read"],
  ["GET", `${FUNCTIONS}/hello/versions/1`, "cs:function:read"],
  ["GET", `${FUNCTIONS}/hello/versions/1/powers`, "cs:function:read"],
  ["GET", `${FUNCTIONS}/hello/versions/1/files`, "cs:function:read"],
  ["PUT", `${FUNCTIONS}/hello/aliases/prod`, "cs:function:alias:set", { version: 1 }],
  ["GET", `${FUNCTIONS}/hello/aliases`, "cs:function:read"],
  ["DELETE", `${FUNCTIONS}/hello/aliases/prod`, "cs:function:alias:set"],
  ["GET", ACTIVATIONS, "cs:activation:read"],
  ["GET", `${ACTIVATIONS}/${ID}`, "cs:activation:read"],
  ["GET", `${ACTIVATIONS}/${ID}/logs`, "cs:activation:read"],
  ["POST", `${ACTIVATIONS}/${ID}:cancel`, "cs:activation:cancel"],
  ["PUT", `${SECRETS}/key`, "cs:secret:create", { value: "value" }],
  ["GET", SECRETS, "cs:secret:read"],
  ["DELETE", `${SECRETS}/key`, "cs:secret:delete"],
  ["POST", "/v1/secrets:rekey", "cs:secret:rekey", {}],
  ["GET", "/v1/tenants/t_default/audit-events", "cs:audit:read"],
  ["POST", "/v1/tokens", "cs:token:create", { sub: "bob", roles: [] }],
  ["GET", "/v1/tokens", "cs:token:read"],
  ["DELETE", "/v1/tokens/0", "cs:token:delete"],
  ["POST", "/v1/tenants/t_default/users", "cs:user:create", { name: "bob", roles: [] }],
  ["GET", "/v1/tenants/t_default/users", "cs:user:read"],
  ["GET", "/v1/tenants/t_default/users/bob", "cs:user:read"],
  ["PATCH", "/v1/tenants/t_default/users/bob", "cs:user:create", { state: "disabled" }],
  ["DELETE", "/v1/tenants/t_default/users/bob", "cs:user:delete"],
  ["GET", "/v1/functions", "cs:function:read"],
  ["GET", "/v1/functions/hello", "cs:function:read"],
  ["DELETE", "/v1/functions/hello", "cs:function:delete"],
  ["GET", `/v1/executions/${ID}`, "cs:activation:read"],
];

test("every endpoint wants a token, its own action and its own tenant", async () => {
  await using control = await startWithTokens();
  const every = [...new Set(ENDPOINTS.map(([, , action]) => action))];
  for (const [method, path, action, body] of ENDPOINTS) {
    const call = (headers?: Record<string, string>) => control.call(method, path, body, headers);
    const label = `${method} ${path}`;
    assert.deepEqual(outcome(await call()), [401, "CS_AUTHN_MISSING_TOKEN"], label);
    assert.deepEqual(outcome(await call(bearer("nonsense"))), [401, "CS_AUTHN_INVALID_TOKEN"], label);
    const others = await control.issue(every.filter((other) => other !== action));
    assert.deepEqual(outcome(await call(others)), [403, "CS_AUTHZ_DENIED"], label);
    const granted = await call(await control.issue([action]));
    assert.ok(granted.status !== 401 && granted.status !== 403, `${label}: ${granted.status}`);
    if (!path.includes("t_default")) continue;
    const foreign = await call(await control.issue(["admin"], "t_others"));
    assert.deepEqual(outcome(foreign), [403, "CS_AUTHZ_RESOURCE_MISMATCH"], label);
  }
});

test("a refused caller learns nothing from a bad body or an unknown name", async () => {
  await using control = await startWithTokens();
  const reader = await control.issue(["cs:function:read"]);
  assert.deepEqual(outcome(await control.call("POST", FUNCTIONS, "{{{", reader)), [403, "CS_AUTHZ_DENIED"]);
  const foreign = await control.issue(["admin"], "t_others");
  const missing = await control.call("GET", `${FUNCTIONS}/missing`, undefined, foreign);
  assert.deepEqual(outcome(missing), [403, "CS_AUTHZ_RESOURCE_MISMATCH"]);
});

test("a 401 says which scheme it wants", async () => {
  await using control = await startWithTokens();
  assert.equal((await control.call("GET", FUNCTIONS)).headers.get("www-authenticate"), "Bearer");
});

test("a token is created, works, is listed without its secret, and ends when it is revoked", async () => {
  await using control = await startWithTokens();
  const admin = await control.issue(["admin"]);
  const created = await control.call<CreateTokenReply>(
    "POST",
    "/v1/tokens",
    { sub: "bob", roles: ["cs:function:read"], expires_in_seconds: 60 },
    admin,
  );
  assert.equal(created.status, 201);
  assert.equal(created.body.record.expires_at_ms, control.state.nowMs + 60_000);
  const bob = bearer(created.body.token);
  assert.equal((await control.call("GET", FUNCTIONS, undefined, bob)).status, 200);

  const list = await control.call<TokenPage>("GET", "/v1/tokens", undefined, admin);
  assert.equal(list.body.items.length, 2);
  assert.ok(!JSON.stringify(list.body).includes(created.body.token.slice(-43)));
  assert.ok(!control.lines.join("").includes(created.body.token.slice(-43)));

  const { token_id } = created.body.record;
  const revoked = await control.call("DELETE", `/v1/tokens/${token_id}`, undefined, admin);
  assert.deepEqual([revoked.status, revoked.body], [200, { status: "deleted" }]);
  assert.deepEqual(outcome(await control.call("GET", FUNCTIONS, undefined, bob)), [
    401,
    "CS_AUTHN_INVALID_TOKEN",
  ]);
});

test("nobody hands out roles or tenants he does not have", async () => {
  await using control = await startWithTokens();
  const maker = await control.issue(["cs:token:create", "role:app"]);
  const make = (body: unknown, headers: Record<string, string>) =>
    control.call("POST", "/v1/tokens", body, headers);
  assert.equal((await make({ sub: "x", roles: ["role:app"] }, maker)).status, 201);
  assert.deepEqual(outcome(await make({ sub: "x", roles: ["admin"] }, maker)), [403, "CS_AUTHZ_DENIED"]);
  const admin = await control.issue(["admin"]);
  assert.equal((await make({ sub: "x", roles: ["anything"] }, admin)).status, 201);
  assert.deepEqual(outcome(await make({ sub: "x", roles: [], tenant: "t_others" }, admin)), [
    403,
    "CS_AUTHZ_RESOURCE_MISMATCH",
  ]);
  const other = await control.issue(["admin"], "t_others");
  const created = await control.call<CreateTokenReply>("POST", "/v1/tokens", { sub: "x", roles: [] }, other);
  assert.equal(created.body.record.tenant, "t_others");
  const { token_id } = created.body.record;
  assert.deepEqual(outcome(await control.call("DELETE", `/v1/tokens/${token_id}`, undefined, admin)), [
    404,
    "CS_NOT_FOUND",
  ]);
  const peek = await control.call("GET", "/v1/tokens?tenant=t_others", undefined, admin);
  assert.deepEqual(outcome(peek), [403, "CS_AUTHZ_RESOURCE_MISMATCH"]);
});

test("the key of all tenants' secrets is changed by the operator's tenant only", async () => {
  await using control = await startWithTokens();
  const rekey = (headers: Record<string, string>) => control.call("POST", "/v1/secrets:rekey", {}, headers);
  const foreign = await control.issue(["admin"], "t_others");
  assert.deepEqual(outcome(await rekey(foreign)), [403, "CS_AUTHZ_RESOURCE_MISMATCH"]);
  assert.equal((await rekey(await control.issue(["admin"]))).status, 200);
});

test("the short forms act in the caller's own tenant", async () => {
  await using control = await startControl();
  await deploy(control, "hello", { env: { A: "1" }, timeout_ms: 1234 });
  const list = await control.call<unknown[]>("GET", "/v1/functions");
  assert.deepEqual(list.body, [
    {
      name: "hello",
      image: "cs-js",
      env: { A: "1" },
      timeoutMs: 1234,
      concurrency: 10,
      maxRetries: 3,
      executionMode: "LOCAL",
    },
  ]);
  assert.equal((await control.call("GET", "/v1/functions/hello")).status, 200);
  assert.equal((await control.call("DELETE", "/v1/functions/hello")).status, 204);
  assert.equal((await control.call("GET", "/v1/functions/hello")).status, 404);
});

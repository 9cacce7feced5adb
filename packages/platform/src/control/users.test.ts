import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import type {
  AuditEventPage,
  CreateTokenReply,
  ErrorReply,
  TokenPage,
  UserPage,
  UserRecord,
} from "@sous/contract";
import { createLocalAuthenticator } from "../auth/local-authenticator.ts";
import { issueToken } from "../auth/local-token.ts";
import { FUNCTIONS } from "./testing/sample-function.ts";
import { startControl, type StartOptions } from "./testing/start-control.ts";

const USERS = "/v1/tenants/t_default/users";

type Headers = Record<string, string>;

async function start(options: StartOptions = {}) {
  const control = await startControl({
    ...options,
    auth: (store, clock) => createLocalAuthenticator({ store, clock }),
  });
  const { token } = await issueToken({
    tokens: control.store.tokens,
    tenant: "t_default",
    principal: { sub: "root", roles: ["admin"] },
    expiresAtMs: null,
    clock: () => control.state.nowMs,
    randomBytes,
  });
  const admin = { authorization: `Bearer ${token}` };
  /** @returns status and error code of a call */
  const outcome = async (method: string, path: string, body: unknown, headers: Headers) => {
    const answer = await control.call<ErrorReply>(method, path, body, headers);
    return [answer.status, answer.status < 400 ? undefined : answer.body.error.code];
  };
  const user = async (name: string, roles: string[]) => {
    const created = await control.call<UserRecord>("POST", USERS, { name, roles }, admin);
    assert.equal(created.status, 201);
    return created.body;
  };
  const tokenOf = async (body: unknown, headers: Headers = admin) => {
    const created = await control.call<CreateTokenReply>("POST", "/v1/tokens", body, headers);
    assert.equal(created.status, 201, JSON.stringify(created.body));
    return { ...created.body, headers: { authorization: `Bearer ${created.body.token}` } };
  };
  return Object.assign(control, { admin, outcome, user, tokenOf });
}

test("a user is made, read, listed, changed and deleted", async () => {
  await using control = await start();
  const { admin } = control;
  const ada = await control.user("ada@example.com", ["role:app", "role:app"]);
  const nowMs = control.state.nowMs;
  assert.match(ada.user_id, /^usr_/);
  assert.deepEqual(ada, {
    user_id: ada.user_id,
    tenant: "t_default",
    name: "ada@example.com",
    display_name: "",
    roles: ["role:app"],
    state: "active",
    created_at_ms: nowMs,
    updated_at_ms: nowMs,
  });
  await control.user("bob", []);
  const path = `${USERS}/ada@example.com`;
  control.state.nowMs += 5;
  const changed = await control.call("PATCH", path, { display_name: "Ada", roles: ["x"] }, admin);
  assert.deepEqual(changed.body, { ...ada, display_name: "Ada", roles: ["x"], updated_at_ms: nowMs + 5 });
  assert.deepEqual((await control.call("GET", path, undefined, admin)).body, changed.body);
  const list = await control.call<UserPage>("GET", `${USERS}?limit=1`, undefined, admin);
  assert.deepEqual(list.body.items, [changed.body]);
  const next = await control.call<UserPage>(
    "GET",
    `${USERS}?limit=1&cursor=${list.body.next_cursor}`,
    undefined,
    admin,
  );
  assert.deepEqual(
    next.body.items.map(({ name }) => name),
    ["bob"],
  );
  assert.deepEqual(await control.outcome("POST", USERS, { name: "bob", roles: [] }, admin), [
    409,
    "CS_CONFLICT",
  ]);
  assert.deepEqual(await control.outcome("PATCH", path, {}, admin), [400, "CS_VALIDATION_FAILED"]);
  assert.deepEqual(await control.outcome("DELETE", path, undefined, admin), [200, undefined]);
  for (const method of ["GET", "DELETE"]) {
    assert.deepEqual(await control.outcome(method, path, undefined, admin), [404, "CS_NOT_FOUND"]);
  }
  const events = await control.call<AuditEventPage>(
    "GET",
    "/v1/tenants/t_default/audit-events",
    undefined,
    admin,
  );
  const about = "cs:t_default:user/ada@example.com";
  assert.deepEqual(
    events.body.items
      .filter(({ resource, outcome }) => resource === about && outcome === "success")
      .map(({ type, data }) => [type, data["user_id"]]),
    [
      ["UserDeleted", ada.user_id],
      ["UserUpdated", ada.user_id],
      ["UserCreated", ada.user_id],
    ],
  );
});

test("a user's token has roles of the user, and its changes are told with the user", async () => {
  await using control = await start();
  const ada = await control.user("ada", ["cs:function:create", "cs:function:read"]);
  const all = await control.tokenOf({ user: "ada" });
  assert.deepEqual(
    [all.record.sub, all.record.user_id, all.record.roles],
    ["ada", ada.user_id, ["cs:function:create", "cs:function:read"]],
  );
  const some = await control.tokenOf({ user: "ada", roles: ["cs:function:read"] });
  const create = (name: string, headers: Headers) => control.outcome("POST", FUNCTIONS, { name }, headers);
  assert.deepEqual(await create("hello", all.headers), [201, undefined]);
  assert.deepEqual(await create("more", some.headers), [403, "CS_AUTHZ_DENIED"]);
  const more = { user: "ada", roles: ["role:other"] };
  assert.deepEqual(await control.outcome("POST", "/v1/tokens", more, control.admin), [
    400,
    "CS_VALIDATION_FAILED",
  ]);
  const listed = await control.call<TokenPage>("GET", "/v1/tokens", undefined, control.admin);
  assert.equal(listed.body.items.filter(({ user_id }) => user_id === ada.user_id).length, 2);
  const { items } = (
    await control.call<AuditEventPage>(
      "GET",
      "/v1/tenants/t_default/audit-events?sub=ada",
      undefined,
      control.admin,
    )
  ).body;
  assert.deepEqual(
    items.map(({ actor, type }) => [actor, type]),
    [
      [
        { sub: "ada", user_id: ada.user_id, roles: ["cs:function:create", "cs:function:read"] },
        "FunctionCreated",
      ],
    ],
  );
});

test("taking a role, disabling and deleting a user count for its tokens at once", async () => {
  await using control = await start();
  const { admin } = control;
  await control.user("ada", ["cs:function:read", "cs:activation:read"]);
  const { headers } = await control.tokenOf({ user: "ada" });
  const read = () => control.outcome("GET", FUNCTIONS, undefined, headers);
  const change = async (body: unknown) =>
    assert.equal((await control.call("PATCH", `${USERS}/ada`, body, admin)).status, 200);
  assert.deepEqual(await read(), [200, undefined]);
  await change({ roles: ["cs:activation:read"] });
  assert.deepEqual(await read(), [403, "CS_AUTHZ_DENIED"]);
  await change({ roles: ["cs:function:read"] });
  assert.deepEqual(await read(), [200, undefined]);
  await change({ state: "disabled" });
  assert.deepEqual(await read(), [401, "CS_AUTHN_INVALID_TOKEN"]);
  assert.deepEqual(await control.outcome("POST", "/v1/tokens", { user: "ada" }, admin), [409, "CS_CONFLICT"]);
  await change({ state: "active" });
  assert.deepEqual(await read(), [200, undefined]);
  await control.call("DELETE", `${USERS}/ada`, undefined, admin);
  assert.deepEqual(await read(), [401, "CS_AUTHN_INVALID_TOKEN"]);
  await control.user("ada", ["cs:function:read"]);
  assert.deepEqual(await read(), [401, "CS_AUTHN_INVALID_TOKEN"], "that is somebody else");
});

test("nobody makes, changes or deletes a user who may more than they do", async () => {
  await using control = await start();
  await control.user("boss", ["admin"]);
  await control.user("clerk", ["cs:user:create", "cs:user:delete", "role:app"]);
  await control.user("guest", ["role:app"]);
  const { headers } = await control.tokenOf({ user: "clerk" });
  const denied = [403, "CS_AUTHZ_DENIED"];
  const post = (body: unknown) => control.outcome("POST", USERS, body, headers);
  assert.deepEqual(await post({ name: "new", roles: ["admin"] }), denied);
  assert.deepEqual(await post({ name: "new", roles: ["role:app"] }), [201, undefined]);
  const patch = (name: string, body: unknown) => control.outcome("PATCH", `${USERS}/${name}`, body, headers);
  assert.deepEqual(await patch("boss", { state: "disabled" }), denied);
  assert.deepEqual(await patch("boss", { roles: [] }), denied);
  assert.deepEqual(await patch("guest", { roles: ["admin"] }), denied);
  assert.deepEqual(await patch("clerk", { roles: ["admin"] }), denied);
  assert.deepEqual(await patch("guest", { state: "disabled" }), [200, undefined]);
  assert.deepEqual(await control.outcome("DELETE", `${USERS}/boss`, undefined, headers), denied);
  assert.deepEqual(await control.outcome("DELETE", `${USERS}/guest`, undefined, headers), [200, undefined]);
});

test("what a user's token makes ends with the user, unless the user may make users", async () => {
  await using control = await start();
  const { admin } = control;
  await control.user("ada", ["cs:token:create", "cs:function:read"]);
  await control.user("bob", ["cs:function:read"]);
  const { headers } = await control.tokenOf({ user: "ada" });
  const make = (body: unknown) => control.outcome("POST", "/v1/tokens", body, headers);
  const denied = [403, "CS_AUTHZ_DENIED"];
  assert.deepEqual(await make({ sub: "ci", roles: ["cs:function:read"] }), denied);
  assert.deepEqual(await make({ user: "bob" }), denied);
  const own = await control.tokenOf({ user: "ada", roles: ["cs:function:read"] }, headers);
  await control.call("PATCH", `${USERS}/ada`, { state: "disabled" }, admin);
  assert.deepEqual(await control.outcome("GET", FUNCTIONS, undefined, own.headers), [
    401,
    "CS_AUTHN_INVALID_TOKEN",
  ]);
  const roles = ["cs:token:create", "cs:user:create", "cs:function:read"];
  await control.call("PATCH", `${USERS}/ada`, { state: "active", roles }, admin);
  const wider = await control.tokenOf({ user: "ada" });
  const ci = { sub: "ci", roles: ["cs:function:read"] };
  assert.deepEqual(await control.outcome("POST", "/v1/tokens", ci, wider.headers), [201, undefined]);
  assert.deepEqual(await control.outcome("POST", "/v1/tokens", ci, headers), denied, "not this token");
});

test("a token is for a subject with roles, or for a user that there is", async () => {
  await using control = await start();
  const make = (body: unknown) => control.outcome("POST", "/v1/tokens", body, control.admin);
  await control.user("ada", []);
  for (const body of [{}, { sub: "x" }, { roles: [] }, { sub: "x", user: "ada", roles: [] }]) {
    assert.deepEqual(await make(body), [400, "CS_VALIDATION_FAILED"], JSON.stringify(body));
  }
  assert.deepEqual(await make({ user: "nobody" }), [404, "CS_NOT_FOUND"]);
});

test("tenants do not see one another's users, and may use the same names", async () => {
  await using control = await start();
  await control.user("ada", []);
  const { token } = await issueToken({
    tokens: control.store.tokens,
    tenant: "t_others",
    principal: { sub: "root", roles: ["admin"] },
    expiresAtMs: null,
    clock: () => control.state.nowMs,
    randomBytes,
  });
  const others = { authorization: `Bearer ${token}` };
  const path = "/v1/tenants/t_others/users";
  assert.deepEqual(await control.outcome("GET", `${path}/ada`, undefined, others), [404, "CS_NOT_FOUND"]);
  assert.deepEqual(await control.outcome("GET", `${USERS}/ada`, undefined, others), [
    403,
    "CS_AUTHZ_RESOURCE_MISMATCH",
  ]);
  assert.deepEqual(await control.outcome("POST", "/v1/tokens", { user: "ada" }, others), [
    404,
    "CS_NOT_FOUND",
  ]);
  assert.deepEqual(await control.outcome("POST", path, { name: "ada", roles: [] }, others), [201, undefined]);
});

test("a tenant has so many users and not one more", async () => {
  await using control = await start({ limits: { usersPerTenantMax: 2 } });
  await control.user("one", []);
  await control.user("two", []);
  const third = { name: "three", roles: [] };
  assert.deepEqual(await control.outcome("POST", USERS, third, control.admin), [409, "CS_CONFLICT"]);
  await control.call("DELETE", `${USERS}/one`, undefined, control.admin);
  assert.deepEqual(await control.outcome("POST", USERS, third, control.admin), [201, undefined]);
});

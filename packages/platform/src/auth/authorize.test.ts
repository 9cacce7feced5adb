import assert from "node:assert/strict";
import test from "node:test";
import { ACTIONS } from "./actions.ts";
import { authorize, homeTenant, isAdmin, isPublic, requireTriggerRole } from "./authorize.ts";
import type { Identity } from "./identity.ts";

const who = (roles: string[], tenant: string | null = "t_default"): Identity => ({
  principal: { sub: "alice", roles },
  tenant,
});
const code = (expected: string) => (error: unknown) => (error as { code?: string }).code === expected;

test("admin and role:admin pass every action of their tenant", () => {
  for (const action of ACTIONS) {
    authorize(who(["admin"]), action, "t_default");
    authorize(who(["x", "role:admin"]), action, "t_default");
  }
});

test("a role grants the action it equals or that action:<action> names, and no other", () => {
  authorize(who(["cs:function:read"]), "cs:function:read", "t_default");
  authorize(who(["action:cs:function:read"]), "cs:function:read", "t_default");
  for (const role of [
    "cs:function:rea",
    "cs:function:read2",
    "cs:function:*",
    "*",
    "action:",
    "xction:cs:function:read",
    "Admin",
    "admin ",
    "cs:function",
    "action:cs:function:delete",
  ]) {
    assert.throws(
      () => authorize(who([role]), "cs:function:read", "t_default"),
      code("CS_AUTHZ_DENIED"),
      role,
    );
  }
  assert.throws(() => authorize(who([]), "cs:function:read", "t_default"), code("CS_AUTHZ_DENIED"));
});

test("the action is checked before the tenant, and an admin is one of its own tenant only", () => {
  assert.throws(() => authorize(who([]), "cs:function:read", "t_others"), code("CS_AUTHZ_DENIED"));
  assert.throws(
    () => authorize(who(["admin"]), "cs:function:read", "t_others"),
    code("CS_AUTHZ_RESOURCE_MISMATCH"),
  );
});

test("an identity of no tenant acts in every tenant and is at home in the default one", () => {
  authorize(who(["admin"], null), "cs:function:read", "t_others");
  assert.equal(homeTenant(who([], null)), "t_default");
  assert.equal(homeTenant(who([], "t_others")), "t_others");
});

test("admin does not pass a version's role list unless the list says admin", () => {
  const admin = who(["admin", "role:admin"]).principal;
  assert.throws(() => requireTriggerRole(admin, []), code("CS_AUTHZ_ROLE_MISSING"));
  assert.throws(() => requireTriggerRole(admin, ["role:app"]), code("CS_AUTHZ_ROLE_MISSING"));
  requireTriggerRole(admin, ["role:app", "admin"]);
  assert.ok(isAdmin(admin));
  assert.ok(!isAdmin(who(["administrator"]).principal));
});

test("public lets everybody in, with and without a token; without it nobody has no roles", () => {
  requireTriggerRole(undefined, ["public"]);
  requireTriggerRole(who([]).principal, ["admin", "public"]);
  assert.throws(() => requireTriggerRole(undefined, ["admin"]), code("CS_AUTHZ_ROLE_MISSING"));
  // A caller that claims the role public gains nothing by it.
  assert.throws(
    () => requireTriggerRole(who(["public"]).principal, ["admin"]),
    code("CS_AUTHZ_ROLE_MISSING"),
  );
  assert.ok(isPublic(["x", "public"]));
  assert.ok(!isPublic([]));
});

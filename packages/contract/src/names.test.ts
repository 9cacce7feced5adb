import assert from "node:assert/strict";
import test from "node:test";
import { isAliasName, isResourceName, isTenantId, parseRefTarget, ResourceName, TenantId } from "./names.ts";
import { createParser } from "./validate.ts";

test("tenant ids: t_ and 6 to 32 lower-case letters or digits", () => {
  for (const good of ["t_default", "t_abc123", `t_${"a".repeat(32)}`]) assert.ok(isTenantId(good), good);
  for (const bad of [
    "t_abcde",
    `t_${"a".repeat(33)}`,
    "T_default",
    "t_Default",
    "default",
    "t_a-b-c-d",
    "t_default\n",
    "",
  ]) {
    assert.ok(!isTenantId(bad), JSON.stringify(bad));
  }
});

test("resource names: 3 to 64 characters, a letter first", () => {
  for (const good of ["abc", "a-b", "a_1", `a${"b".repeat(63)}`]) assert.ok(isResourceName(good), good);
  for (const bad of [
    "ab",
    "1abc",
    "-abc",
    "Abc",
    "a.b",
    "a b",
    "abc\n",
    "__proto__",
    `a${"b".repeat(64)}`,
    "añb",
  ]) {
    assert.ok(!isResourceName(bad), JSON.stringify(bad));
  }
});

test("alias names: 2 to 32 characters", () => {
  for (const good of ["v1", "prod", "latest", `a${"b".repeat(31)}`]) assert.ok(isAliasName(good), good);
  for (const bad of ["v", "1v", "Prod", "a/b", "prod\n", `a${"b".repeat(32)}`]) {
    assert.ok(!isAliasName(bad), JSON.stringify(bad));
  }
});

test("the schemas refuse what the predicates refuse, a trailing newline included", () => {
  const tenant = createParser(TenantId, "tenant");
  const name = createParser(ResourceName, "name");
  for (const text of ["t_default", "t_default\n", "t_abcde", "T_ABCDEF"]) {
    assert.equal(tenant.check(text), isTenantId(text), JSON.stringify(text));
  }
  for (const text of ["abc", "abc\n", "ab", "Abc"]) {
    assert.equal(name.check(text), isResourceName(text), JSON.stringify(text));
  }
});

test("a reference is a version when it is a number, else an alias", () => {
  assert.deepEqual(parseRefTarget("17"), { version: 17 });
  assert.deepEqual(parseRefTarget("2147483647"), { version: 2_147_483_647 });
  assert.deepEqual(parseRefTarget("prod"), { alias: "prod" });
  assert.deepEqual(parseRefTarget("latest"), { alias: "latest" });
  for (const bad of [
    "0",
    "017",
    "-1",
    "1.5",
    "1e3",
    "2147483648",
    "99999999999",
    "",
    "Prod",
    "a",
    "%70rod",
    "17 ",
  ]) {
    assert.equal(parseRefTarget(bad), undefined, JSON.stringify(bad));
  }
});

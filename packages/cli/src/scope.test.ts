import test from "node:test";
import assert from "node:assert/strict";
import { DEFAULT_NAMESPACE, DEFAULT_TENANT } from "@sous/contract";
import { LOCAL_SCOPE, resolveScope } from "./scope.ts";

const STORED = { api_url: "https://sous.example", tenant: "t_stored1", token: "stored", namespace: "shop" };

test("the local defaults are the contract's", () => {
  assert.deepEqual(LOCAL_SCOPE, { tenant: DEFAULT_TENANT, namespace: DEFAULT_NAMESPACE });
});

test("a login is used for its own server, in any spelling of the address", () => {
  const scope = resolveScope({}, {}, STORED);
  assert.equal(scope.apiUrl, "https://sous.example");
  assert.equal(scope.token, "stored");
  assert.equal(scope.namespace, "shop");
  assert.equal(resolveScope({ apiUrl: "https://sous.example/" }, {}, STORED).token, "stored");
});

test("a stored token never goes to another server", () => {
  const scope = resolveScope({ apiUrl: "http://localhost:8080" }, {}, STORED);
  assert.equal(scope.token, undefined);
  assert.equal(scope.tokenSource, "none");
  assert.equal(scope.tenant, "t_default");
});

test("flags stand over the environment, the environment over the login, SOUS_ over CS_", () => {
  const env = { CS_TOKEN: "cs", SOUS_TOKEN: "sous", CS_TENANT: "t_fromenv" };
  const scope = resolveScope({}, env, STORED);
  assert.equal(scope.token, "sous");
  assert.equal(scope.tokenSource, "environment");
  assert.equal(scope.tenant, "t_fromenv");
  const flagged = resolveScope({ token: "flag", tenant: "t_fromflag" }, env, STORED);
  assert.equal(flagged.token, "flag");
  assert.equal(flagged.tenant, "t_fromflag");
});

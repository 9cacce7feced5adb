import assert from "node:assert/strict";
import test from "node:test";
import { createAddressJudge } from "./address-judge.ts";
import { checkEgressUrl, portOf } from "./egress-url.ts";
import { createHttpPermit, type HttpGrants } from "./http-permit.ts";

const GRANTS: HttpGrants = {
  allow_hosts: ["open.example.com"],
  allow: [
    { host: "api.example.com", methods: ["GET"], paths: ["/v1/*"] },
    { host: "api.example.com", methods: ["POST"], paths: ["/v1/charges"] },
    { host: "*.shop.example.com", ports: [8443] },
  ],
};

function verdict(text: string, method = "GET", grants = GRANTS): string {
  const url = new URL(text);
  const found = createHttpPermit(grants)({ url, method, port: portOf(url) });
  return found.allowed ? `allowed${found.listedPort ? ", port listed" : ""}` : found.problem;
}

test("a call is allowed when one rule covers host, method and path together", () => {
  assert.equal(verdict("https://api.example.com/v1/users?x=/v2"), "allowed");
  assert.equal(verdict("https://API.example.com./v1/charges", "POST"), "allowed");
  assert.equal(verdict("https://open.example.com/any", "DELETE"), "allowed");
  assert.match(verdict("https://api.example.com/v1/users", "POST"), /path .*"\/v1\/users".* not allowed/);
  assert.match(verdict("https://api.example.com/v1/users", "DELETE"), /DELETE to "api\.example\.com"/);
  assert.match(verdict("https://api.example.com/v2"), /path .*"\/v2"/);
  assert.match(verdict("https://other.example.com/v1/"), /host "other\.example\.com".*allowHosts/);
});

test("dots and slashes that are encoded are no way around a path", () => {
  for (const path of ["/v1/../admin", "/v1/%2e%2e/admin", "/v1/.%2E/admin", "/v1\\..\\admin"]) {
    assert.match(verdict(`https://api.example.com${path}`), /path .*"\/admin"/, path);
  }
  for (const path of ["/v1/..%2fadmin", "/v1/%2E%2E%2Fadmin", "/v1/..%5Cadmin", "/v1/a%2fb"]) {
    assert.match(verdict(`https://api.example.com${path}`), /encoded dot or slash/, path);
  }
  assert.equal(
    verdict("https://open.example.com/a%2fb"),
    "allowed",
    "without paths there is nothing to go around",
  );
});

test("a port beyond the usual ones has to be listed, and then is the only one", () => {
  assert.equal(verdict("https://a.shop.example.com:8443/"), "allowed, port listed");
  assert.match(verdict("https://a.shop.example.com/"), /port 443 .*ports of the host/);
  const judge = createAddressJudge();
  const anyPortJudge = createAddressJudge({ ports: "any" });
  const permit = createHttpPermit(GRANTS);
  const check = (text: string) => checkEgressUrl(text, { judge, anyPortJudge, permit, method: "GET" });
  assert.equal(check("https://a.shop.example.com:8443/").listedPort, true);
  assert.equal(check("https://open.example.com/").listedPort, false);
  const denied = { code: "CS_RUNTIME_CAPABILITY_DENIED" };
  assert.throws(() => check("https://open.example.com:8443/"), { ...denied, message: /port 8443/ });
});

test("a listed port opens no private address", () => {
  const grants = { allow_hosts: [], allow: [{ host: "10.0.0.1", ports: [8443] }] };
  const permit = createHttpPermit(grants);
  const judges = { judge: createAddressJudge(), anyPortJudge: createAddressJudge({ ports: "any" }) };
  assert.throws(() => checkEgressUrl("https://10.0.0.1:8443/", { ...judges, permit, method: "GET" }), {
    code: "CS_RUNTIME_CAPABILITY_DENIED",
    message: /public Internet/,
  });
});

test("no grants allow nothing", () => {
  assert.match(verdict("https://a.example/", "GET", { allow_hosts: [] }), /not allowed/);
  assert.match(verdict("https://a.example/", "GET", { allow_hosts: [], allow: [] }), /not allowed/);
});

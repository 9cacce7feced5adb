import assert from "node:assert/strict";
import test from "node:test";
import { checkRequestHeaders } from "./egress-headers.ts";
import { type EgressMethod, followRedirect, type Journey, redirectTarget } from "./follow-redirect.ts";

const sent = {
  Authorization: "Bearer x",
  Cookie: "a=b",
  "X-API-Key": "k",
  "x-auth-token": "t",
  "Content-Type": "text/plain",
  Accept: "*/*",
};
const journeyOf = (method: EgressMethod, url = "https://a.example/"): Journey => ({
  url: new URL(url),
  method,
  headers: checkRequestHeaders(Object.entries(sent)),
  body: method === "GET" ? undefined : Buffer.from("body"),
});

function credentialsAfter(to: string, url?: string): number {
  const journey = journeyOf("GET", url);
  followRedirect(journey, new URL(to), 302);
  return Object.keys(journey.headers).filter((name) => /auth|cookie|key/.test(name)).length;
}

test("credentials stay behind when host, port or scheme change, and only then", () => {
  assert.equal(credentialsAfter("https://a.example/other"), 4);
  assert.equal(credentialsAfter("https://b.example/"), 0);
  assert.equal(credentialsAfter("https://a.example:8443/"), 0);
  assert.equal(credentialsAfter("https://a.example/", "http://a.example/"), 0);
});

test("https never goes on as http", () => {
  const journey = journeyOf("GET");
  assert.throws(() => followRedirect(journey, new URL("http://a.example/"), 302), {
    code: "CS_RUNTIME_CAPABILITY_DENIED",
  });
});

const methods: [EgressMethod, number, EgressMethod][] = [
  ["POST", 301, "GET"],
  ["POST", 302, "GET"],
  ["POST", 303, "GET"],
  ["POST", 307, "POST"],
  ["POST", 308, "POST"],
  ["PUT", 302, "PUT"],
  ["PUT", 303, "GET"],
  ["DELETE", 303, "GET"],
  ["HEAD", 303, "HEAD"],
  ["GET", 301, "GET"],
];
for (const [method, status, after] of methods) {
  test(`${method} goes on as ${after} after ${status}`, () => {
    const journey = journeyOf(method);
    followRedirect(journey, new URL("https://a.example/b"), status);
    assert.equal(journey.method, after);
    assert.equal(journey.body === undefined, after === "GET");
    assert.equal(journey.headers["content-type"] === undefined, after !== method);
  });
}

test("only redirects with a target are redirects", () => {
  assert.equal(redirectTarget(302, { location: "/x" }), "/x");
  assert.equal(redirectTarget(302, { location: ["/x", "/y"] }), "/x");
  assert.equal(redirectTarget(302, {}), undefined);
  assert.equal(redirectTarget(304, { location: "/x" }), undefined);
  assert.equal(redirectTarget(200, { location: "/x" }), undefined);
});

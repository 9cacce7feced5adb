import assert from "node:assert/strict";
import test from "node:test";
import { checkRequestHeaders, flattenResponseHeaders } from "./egress-headers.ts";

const check = (headers: Record<string, unknown>) => checkRequestHeaders(Object.entries(headers));

test("ordinary headers pass in lower case, the platform adds its own", () => {
  assert.deepEqual(
    { ...check({ "X-One": " 1 ", Accept: "a, b" }) },
    {
      "x-one": "1",
      accept: "a, b",
      "user-agent": "sous",
      "accept-encoding": "gzip, identity",
    },
  );
});

const dropped = [
  "Host",
  "Connection",
  "Keep-Alive",
  "X-CS-Depth",
  "Proxy-Authorization",
  "Proxy-Connection",
  "TE",
  "Trailer",
  "Upgrade",
  "Transfer-Encoding",
  "Expect",
  "Content-Length",
  "Forwarded",
  "X-Forwarded-For",
  "X-Forwarded-Host",
  "X-Real-IP",
  "Metadata-Flavor",
  "Metadata",
  "X-aws-ec2-metadata-token",
  "X-aws-ec2-metadata-token-ttl-seconds",
  "X-Google-Metadata-Request",
  "Sec-Fetch-Site",
  "Via",
];
for (const name of dropped) {
  test(`${name} is left out`, () => assert.equal(check({ [name]: "x" })[name.toLowerCase()], undefined));
}

test("brotli is never asked for", () => {
  assert.equal(check({ "Accept-Encoding": "br" })["accept-encoding"], "gzip, identity");
});

const refused: [string, unknown][] = [
  ["x\r\nhost", "a"],
  ["x", "a\r\nhost: b"],
  ["x", "a\nb"],
  ["x", "a\0b"],
  ["x", "漢"],
  ["x", 1],
  ["x", null],
  ["x", ["a"]],
  ["", "a"],
  ["a b", "a"],
  ["a:", "a"],
  ["ключ", "a"],
  ["x".repeat(200), "a"],
  ["x", "a".repeat(20_000)],
];
for (const [name, value] of refused) {
  test(`the header ${JSON.stringify([name, value]).slice(0, 40)} is refused`, () => {
    assert.throws(() => check({ [name]: value }), { code: "CS_VALIDATION_FAILED" });
  });
}

test("too many headers are refused", () => {
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`x-${index}`, "1"]));
  assert.throws(() => check(many), { code: "CS_VALIDATION_FAILED" });
});

test("__proto__ is a header name like any other", () => {
  const headers = checkRequestHeaders([
    ["__proto__", "x"],
    ["constructor", "y"],
  ]);
  assert.deepEqual(Object.keys(headers).slice(0, 2), ["__proto__", "constructor"]);
  assert.equal(({} as Record<string, unknown>)["x"], undefined);
});

test("headers of an answer lose what belonged to the connection and to the encoding", () => {
  const raw = {
    connection: "close",
    "content-encoding": "gzip",
    "content-length": "9",
    "set-cookie": ["a=1", "b=2"],
    x: "1",
  };
  assert.deepEqual({ ...flattenResponseHeaders(raw, true) }, { "set-cookie": "a=1, b=2", x: "1" });
  assert.equal(flattenResponseHeaders(raw, false)["content-length"], "9");
});

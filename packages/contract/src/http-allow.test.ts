import assert from "node:assert/strict";
import test from "node:test";
import { coversPath, HttpAllow } from "./http-allow.ts";
import { createParser } from "./validate.ts";

test("a path without a star covers itself, a star any characters", () => {
  const covered: [string, string[], string[]][] = [
    ["/", ["/"], ["/a", ""]],
    ["/v1/charges", ["/v1/charges"], ["/v1/charges/", "/v1/charges/1", "/v1/charge", "/V1/charges"]],
    ["/v1/*", ["/v1/", "/v1/a", "/v1/a/b", "/v1/*"], ["/v1", "/v2/a", "/x/v1/a"]],
    ["*", ["/", "/a/b"], []],
    ["/a/*/b", ["/a//b", "/a/x/b", "/a/x/y/b", "/a/b/b"], ["/a/b", "/a/x/b/c", "/a/"]],
    ["/*a*b*c", ["/abc", "/xaxbxc", "/abcbc"], ["/acb", "/ab", "/cab"]],
    ["/ab*ba", ["/abba", "/abxba"], ["/aba"]],
  ];
  for (const [pattern, yes, no] of covered) {
    for (const path of yes) assert.ok(coversPath(pattern, path), `${pattern} covers ${path}`);
    for (const path of no) assert.ok(!coversPath(pattern, path), `${pattern} does not cover ${path}`);
  }
});

test("a pattern is covered only where everything it covers is", () => {
  for (const [granted, wanted, expected] of [
    ["/v1/*", "/v1/users/*", true],
    ["/v1/*", "/v1/*", true],
    ["/v1/*/b", "/v1/*", false],
    ["/v1/a", "/v1/*", false],
    ["/v1/*", "/*", false],
    ["/*/b", "/a/*/b", true],
    ["/a*a", "/a*", false],
  ] as const) {
    assert.equal(coversPath(granted, wanted), expected, `${granted} over ${wanted}`);
  }
});

test("patterns that match anything take no time to fail", () => {
  const begun = performance.now();
  assert.ok(!coversPath(`/${"*a".repeat(120)}*b`, `/${"a".repeat(8000)}`));
  assert.ok(performance.now() - begun < 500);
});

test("what is no method, path or port is refused", () => {
  const rule = createParser(HttpAllow, "the rule");
  assert.ok(rule.check({ host: "a.example", methods: ["GET"], paths: ["/a/*"], ports: [443, 8443] }));
  for (const bad of [
    {},
    { host: "https://a.example" },
    { host: "a.example", methods: [] },
    { host: "a.example", methods: ["get"] },
    { host: "a.example", methods: ["TRACE"] },
    { host: "a.example", paths: ["v1"] },
    { host: "a.example", paths: ["/a?b"] },
    { host: "a.example", paths: ["/a#b"] },
    { host: "a.example", paths: ["/a b"] },
    { host: "a.example", paths: ["/a\\b"] },
    { host: "a.example", ports: [22] },
    { host: "a.example", ports: [0] },
    { host: "a.example", ports: [65_536] },
    { host: "a.example", more: 1 },
  ]) {
    assert.ok(!rule.check(bad), JSON.stringify(bad));
  }
});

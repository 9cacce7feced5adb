import assert from "node:assert/strict";
import test from "node:test";
import type { PlatformError } from "@sous/contract";
import { sampleFiles, sampleManifest, withCode } from "./bundle-samples.fixture.ts";
import { parseManifest } from "./parse-manifest.ts";

const valid = JSON.stringify(sampleManifest());
const withManifest = (text: string) => sampleFiles({ "manifest.json": text });
const adding = (field: string) => `${valid.slice(0, -1)},${field}}`;

test("a manifest with every section is read", () => {
  const capabilities = {
    kv: { prefixes: ["a/"], ops: ["get" as const, "set" as const] },
    codeq: { publishTopics: ["jobs.*"] },
    http: { allowHosts: ["api.example.com", "*.example.org", "[2606:4700::1]"], timeoutMs: 1000 },
  };
  const manifest = sampleManifest({ capabilities, isolation: "fresh" });
  assert.deepEqual(parseManifest(withManifest(JSON.stringify(manifest))), manifest);
});

const badManifests: [string, string, RegExp][] = [
  ["empty", "", /not JSON/],
  ["half a manifest", valid.slice(0, -1), /not JSON/],
  ["a comment", `${valid} // x`, /not JSON/],
  ["a byte order mark", `\ufeff${valid}`, /not JSON/],
  ["an array", "[]", /object/],
  ["an unknown key", adding('"color":"red"'), /color/],
  ["a duplicate key", adding('"entry":"other.js"'), /"entry" twice/],
  ["a duplicate key in other letters", adding('"\\u0065ntry":"other.js"'), /"entry" twice/],
  ["__proto__", adding('"__proto__":{"entry":"x"}'), /__proto__/],
  ["__proto__ below", adding('"capabilities":{"__proto__":{}}'), /__proto__/],
  ["constructor", adding('"constructor":{"prototype":{}}'), /unknown field/],
  ["nesting without end", adding(`"x":${"[".repeat(100_000)}`), /nested deeper/],
  ["deep nesting", adding(`"x":${"[".repeat(20)}${"]".repeat(20)}`), /nested deeper/],
  ["a huge manifest", adding(`"x":"${"x".repeat(600_000)}"`), /longer than/],
  ["1e400", valid.replace("3000", "1e400"), /timeoutMs/],
  ["-0", valid.replace("3000", "-0"), /timeoutMs/],
  ["a fraction", valid.replace("3000", "1.5"), /timeoutMs/],
  ["NaN", valid.replace("3000", "NaN"), /not JSON/],
  ["another schema", valid.replace("script.v1", "script.v2"), /schema/],
  [
    "a million hosts",
    adding(`"capabilities":{"http":{"allowHosts":${JSON.stringify(Array(129).fill("a.b"))}}}`),
    /allowHosts/,
  ],
  ["a missing entry", valid.replace("function.js", "other.js"), /does not hold/],
  ["an entry outside", valid.replace("function.js", "../function.js"), /segment/],
  ["an absolute entry", valid.replace("function.js", "/function.js"), /absolute/],
];
for (const [name, text, reason] of badManifests) {
  test(`${name} is refused with an issue`, () => {
    assert.throws(
      () => parseManifest(withManifest(text)),
      (error: unknown) => {
        assert.ok(withCode("CS_VALIDATION_MANIFEST_INVALID", reason)(error), String(error));
        const { details } = error as PlatformError;
        assert.ok(Array.isArray(details?.["issues"]) && details["issues"].length > 0);
        return true;
      },
    );
    assert.equal(({} as Record<string, unknown>)["entry"], undefined);
  });
}

test("a missing manifest is refused", () => {
  const files = sampleFiles();
  files.delete("manifest.json");
  assert.throws(() => parseManifest(files), withCode("CS_VALIDATION_MANIFEST_INVALID", /missing/));
});

test("an entry has to be text", () => {
  const files = sampleFiles();
  files.set("function.js", new Uint8Array([0xff, 0xfe, 0]));
  assert.throws(() => parseManifest(files), withCode("CS_VALIDATION_MANIFEST_INVALID", /UTF-8/));
});

test("a runtime that is still to come is refused by name", () => {
  for (const runtime of ["python", "nodejs"] as const) {
    const expected = new RegExp(`/runtime asks for ${runtime}; this release runs cs-js`);
    assert.throws(
      () => parseManifest(sampleFiles({}, { runtime })),
      withCode("CS_VALIDATION_MANIFEST_INVALID", expected),
    );
  }
});

test("the same key in different objects is no duplicate", () => {
  const text = adding(
    '"capabilities":{"kv":{"prefixes":["\\"a\\":","a"],"ops":[]},"http":{"allowHosts":[]}}',
  );
  assert.deepEqual(parseManifest(withManifest(text)).capabilities?.kv?.prefixes, ['"a":', "a"]);
});

import assert from "node:assert/strict";
import test from "node:test";
import Type from "typebox";
import { InvokeBody } from "./api/invoke.ts";
import { PutDraftBody, SetAliasBody } from "./api/versions.ts";
import { PlatformError } from "./errors.ts";
import { Manifest } from "./manifest.ts";
import { createParser } from "./validate.ts";
import { VersionConfigInput } from "./version-config.ts";

const manifest = {
  schema: "cs.function.script.v1",
  runtime: "cs-js",
  entry: "function.js",
  handler: "default",
  limits: { timeoutMs: 3000, memoryMb: 64, maxConcurrency: 10 },
};
const parser = createParser(Manifest, "the manifest", "CS_VALIDATION_MANIFEST_INVALID");

function refusal(run: () => unknown): PlatformError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof PlatformError);
    return error;
  }
  return assert.fail("was not refused");
}

test("a good value comes back as it is", () => {
  assert.equal(parser.parse(manifest), manifest);
  assert.deepEqual(parser.issues(manifest), []);
});

test("a bad value is refused with the parser's code, the path and what is wrong", () => {
  const error = refusal(() => parser.parse({ ...manifest, limits: { ...manifest.limits, memoryMb: 8 } }));
  assert.equal(error.code, "CS_VALIDATION_MANIFEST_INVALID");
  assert.match(error.message, /the manifest is not valid: \/limits\/memoryMb /);
  const issues = error.details?.["issues"] as { path: string }[];
  assert.equal(issues[0]?.path, "/limits/memoryMb");
});

test("an unknown field is named", () => {
  const error = refusal(() => parser.parse({ ...manifest, memory: 1 }));
  assert.match(error.message, /"memory"/);
});

test("the allowed values of a closed set are told", () => {
  assert.match(refusal(() => parser.parse({ ...manifest, runtime: "perl" })).message, /\/runtime .*"cs-js"/);
});

test("a hundred unknown fields are still told as unknown fields", () => {
  const extra = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`extra${index}`, 1]));
  assert.match(refusal(() => parser.parse({ ...manifest, ...extra })).message, /known field/);
});

test("an own __proto__ key is an unknown field, at every depth", () => {
  const top = JSON.parse(`{"__proto__": {"admin": true}, ${JSON.stringify(manifest).slice(1)}`);
  const nested = JSON.parse(JSON.stringify(manifest).replace('"timeoutMs"', '"__proto__":{},"timeoutMs"'));
  assert.ok(!parser.check(top));
  assert.ok(!parser.check(nested));
});

test("fields of the prototype do not count as fields of the value", () => {
  const inherited = Object.create(manifest) as unknown;
  assert.ok(!createParser(Type.Object({ entry: Type.String() }), "x").check(Object.create({ a: 1 })));
  assert.ok(!createParser(Type.Array(Type.String()), "x").check(inherited));
});

test("NaN, infinities, fractions and numbers in strings are no integers", () => {
  for (const timeoutMs of [Number.NaN, Infinity, -Infinity, 1.5, "3000", null, true, 0, 900_001, 1e308]) {
    assert.ok(!parser.check({ ...manifest, limits: { ...manifest.limits, timeoutMs } }), String(timeoutMs));
  }
});

test("NaN and infinities are no shares of a weighted alias", () => {
  const alias = createParser(SetAliasBody, "the alias");
  for (const share of [Number.NaN, Infinity, -0.1, 1.1, "0.5"]) {
    assert.ok(!alias.check({ version: 1, weights: { 2: share } }), String(share));
  }
  assert.ok(alias.check({ version: 1, weights: { 2: 0.1 } }));
  assert.ok(!alias.check({ version: 1, weights: { two: 0.1 } }));
});

test("a deeply nested event passes without touching the stack, a deeply nested manifest is refused", () => {
  const depth = 100_000;
  const deep = JSON.parse(`${"[".repeat(depth)}${"]".repeat(depth)}`) as unknown;
  assert.ok(createParser(InvokeBody, "the request").check({ event: deep }));
  assert.ok(!parser.check({ ...manifest, capabilities: deep }));
  assert.ok(refusal(() => parser.parse({ ...manifest, capabilities: deep })).message.length < 2000);
});

test("of duplicate keys the last counts, and it is the one that is validated", () => {
  const good = JSON.stringify(manifest);
  assert.ok(!parser.check(JSON.parse(good.replace('"memoryMb":64', '"memoryMb":64,"memoryMb":8'))));
  assert.ok(parser.check(JSON.parse(good.replace('"memoryMb":64', '"memoryMb":8,"memoryMb":64'))));
});

test("at most ten issues are told, each bounded", () => {
  const files = Object.fromEntries(
    Array.from({ length: 500 }, (_, index) => [`f${index}${"x".repeat(100)}`, index]),
  );
  const issues = createParser(PutDraftBody, "the draft").issues({ files });
  assert.ok(issues.length > 0 && issues.length <= 10);
  for (const issue of issues) assert.ok(issue.path.length <= 200 && issue.message.length <= 1000);
});

test("a config may be partial at every section that a publish merges, and nothing else", () => {
  const config = createParser(VersionConfigInput, "the config");
  assert.ok(config.check({}));
  assert.ok(config.check({ retry: { max_attempts: 1 }, authz: { invoke_http_roles: ["admin"] } }));
  assert.ok(config.check({ capabilities: { http: { allow_hosts: ["example.com"] } } }));
  assert.ok(!config.check({ retry: { attempts: 1 } }));
  assert.ok(!config.check({ capabilities: { fs: {} } }));
  assert.ok(!config.check({ env: { "NOT A NAME": "x" } }));
  assert.ok(!config.check({ timeout_ms: "3000" }));
});

import assert from "node:assert/strict";
import test from "node:test";
import { PlatformError } from "@sous/contract";
import { compileFilters } from "./filter-pattern.ts";

const passes = (pattern: unknown, message: unknown): boolean => compileFilters([pattern])(message);

test("without patterns everything passes", () => {
  for (const message of [null, 1, "text", [], {}]) assert.ok(compileFilters([])(message));
});

test("each operator matches what it says and nothing else", () => {
  const cases: [unknown[], unknown[], unknown[]][] = [
    // what a field may be, what passes, what does not
    [
      ["a", 1, null, true],
      ["a", 1, null, true, ["x", "a"]],
      ["A", 1.5, false, undefined, {}, [], "1"],
    ],
    [[{ prefix: "ab" }], ["ab", "abc"], ["a", "Ab", 1, null, ["b"]]],
    [[{ prefix: { "equals-ignore-case": "aB" } }], ["ABc", "ab"], ["a", "ba"]],
    [[{ suffix: ".png" }], [".png", "x.png"], ["png", "x.PNG"]],
    [[{ suffix: { "equals-ignore-case": ".png" } }], ["x.PNG"], ["x.gif"]],
    [[{ "equals-ignore-case": "Yes" }], ["yes", "YES"], ["yes ", 1]],
    [[{ wildcard: "a*b*c" }], ["abc", "aXbYc", "abbc"], ["ab", "ac", "abcd", "xabc"]],
    [[{ wildcard: "*" }], ["", "x"], [1, null]],
    [[{ wildcard: "a*a" }], ["aa", "axa"], ["a"]],
    [[{ wildcard: String.raw`\*\\*` }], [String.raw`*\x`], [String.raw`a\x`]],
    [[{ "anything-but": "a" }], ["b", 1, null, ["a", "b"]], ["a", ["a"]]],
    [[{ "anything-but": ["a", 2] }], ["b", 3], ["a", 2]],
    [[{ "anything-but": { prefix: "a" } }], ["b"], ["ab", 1]],
    [[{ "anything-but": { suffix: ["a", "b"] } }], ["c"], ["xa", "xb"]],
    [[{ "anything-but": { wildcard: "*/lib/*" } }], ["a/bin/b"], ["a/lib/b"]],
    [[{ numeric: [">", 0, "<=", 5] }], [0.1, 5], [0, 5.1, "3", null, Number.NaN]],
    [[{ numeric: ["=", 3] }], [3, 3.0], [4]],
    [[{ cidr: "10.1.0.0/16" }], ["10.1.2.3"], ["10.2.0.0", "::1", "10.1", 10]],
    [[{ cidr: "2001:db8::/32" }], ["2001:db8::1"], ["2001:db9::1", "10.0.0.1"]],
    [[{ exists: true }], ["", 0, null, []], [{}]],
  ];
  for (const [list, yes, no] of cases) {
    const filter = compileFilters([{ field: list }]);
    for (const value of yes)
      assert.ok(filter({ field: value }), `${JSON.stringify(list)} takes ${JSON.stringify(value)}`);
    for (const value of no) {
      assert.ok(!filter({ field: value }), `${JSON.stringify(list)} refuses ${JSON.stringify(value)}`);
    }
    assert.ok(!filter({}), `${JSON.stringify(list)} needs its field`);
  }
});

test("a field that may not be there matches exists false only", () => {
  assert.ok(passes({ a: [{ exists: false }] }, {}));
  assert.ok(passes({ a: [{ exists: false }] }, "no object"));
  assert.ok(!passes({ a: [{ exists: false }] }, { a: null }));
  assert.ok(passes({ a: [{ exists: false }, 5] }, { a: 5 }));
});

test("all fields have to match, one element of a list, one of $or, one of several patterns", () => {
  const pattern = {
    detail: { state: ["done"], $or: [{ code: [{ numeric: [">=", 500] }] }, { who: ["ops"] }] },
  };
  assert.ok(passes(pattern, { detail: { state: "done", code: 503 } }));
  assert.ok(passes(pattern, { detail: { state: "done", code: 1, who: "ops" } }));
  assert.ok(!passes(pattern, { detail: { state: "done", code: 1 } }));
  assert.ok(!passes(pattern, { detail: { code: 503 } }));
  const two = compileFilters([{ a: [1] }, { b: [2] }]);
  assert.deepEqual([{ a: 1 }, { b: 2 }, { a: 2 }].map(two), [true, true, false]);
});

test("of a list of objects one has to match as a whole", () => {
  const pattern = { items: { kind: ["fruit"], count: [{ numeric: [">", 1] }] } };
  assert.ok(
    passes(pattern, {
      items: [
        { kind: "nut", count: 1 },
        { kind: "fruit", count: 2 },
      ],
    }),
  );
  assert.ok(
    !passes(pattern, {
      items: [
        { kind: "nut", count: 2 },
        { kind: "fruit", count: 1 },
      ],
    }),
  );
});

test("names of every object's prototype are fields like others", () => {
  assert.ok(!passes({ constructor: [{ exists: true }] }, {}));
  assert.ok(!passes({ toString: { name: ["toString"] } }, {}));
  assert.ok(passes(JSON.parse('{"__proto__":["x"]}'), JSON.parse('{"__proto__":"x"}')));
});

test("what is no pattern is refused with the path of what is wrong", () => {
  const nested = (depth: number): unknown => (depth === 0 ? { a: [1] } : { a: nested(depth - 1) });
  const bad: [unknown, RegExp][] = [
    ["text", /filters\[0\] is an object/],
    [{}, /names no field/],
    [{ a: 1 }, /filters\[0\]\.a is an object/],
    [{ a: [] }, /filters\[0\]\.a is an empty list/],
    [{ a: [[1]] }, /filters\[0\]\.a\[0\] takes a text/],
    [{ a: [{ prefx: "x" }] }, /operator "prefx"; there are prefix/],
    [{ a: [{ prefix: "x", suffix: "y" }] }, /more than one operator/],
    [{ a: [{}] }, /operator ""/],
    [{ a: [{ prefix: 1 }] }, /takes a text/],
    [{ a: [{ numeric: [">", "1"] }] }, /numeric is/],
    [{ a: [{ numeric: ["constructor", 1] }] }, /numeric is/],
    [{ a: [{ numeric: [">", 1, "<"] }] }, /numeric is/],
    [{ a: [{ cidr: "10.0.0.0" }] }, /cidr is/],
    [{ a: [{ exists: "yes" }] }, /true or false/],
    [{ a: [{ "anything-but": { numeric: ["=", 1] } }] }, /anything-but takes/],
    [{ a: [{ wildcard: "a**" }] }, /two \* in a row/],
    [{ a: [{ wildcard: "a\\b" }] }, /may only escape/],
    [{ $or: [{ a: [1] }] }, /at least two/],
    [{ a: ["x".repeat(1025)] }, /at most 1024/],
    [nested(17), /nested more than 16/],
    [{ a: Array.from({ length: 600 }, (_, at) => at) }, /past the 500 parts/],
  ];
  for (const [pattern, message] of bad) {
    assert.throws(
      () => compileFilters([pattern]),
      (error) =>
        error instanceof PlatformError &&
        error.code === "CS_VALIDATION_FAILED" &&
        message.test(error.message),
      JSON.stringify(pattern)?.slice(0, 80),
    );
  }
});

test("a wildcard with many stars stays fast on a text that nearly matches", () => {
  const filter = compileFilters([{ a: [{ wildcard: `${"*a".repeat(200)}b` }] }]);
  const begun = performance.now();
  assert.ok(!filter({ a: "a".repeat(200_000) }));
  assert.ok(performance.now() - begun < 1000);
});

test("whatever it is given, compiling refuses with its code or matching answers", () => {
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % below;
  };
  const words = [
    "a",
    "prefix",
    "suffix",
    "anything-but",
    "numeric",
    "exists",
    "cidr",
    "wildcard",
    "$or",
    "x*y",
    "10.0.0.0/8",
  ];
  const value = (depth: number): unknown => {
    const kind = random(depth > 5 ? 5 : 8);
    if (kind === 0) return null;
    if (kind === 1) return random(5);
    if (kind === 2) return random(2) === 0;
    if (kind <= 4) return words[random(words.length)];
    if (kind === 5) return Array.from({ length: random(4) }, () => value(depth + 1));
    return Object.fromEntries(
      Array.from({ length: random(3) + 1 }, () => [words[random(words.length)], value(depth + 1)]),
    );
  };
  let compiled = 0;
  for (let at = 0; at < 20_000; at++) {
    const pattern = { a: [value(3)], ...(random(4) === 0 ? { $or: value(2) } : {}) };
    try {
      const filter = compileFilters([pattern]);
      compiled++;
      assert.equal(typeof filter(value(0)), "boolean");
      assert.equal(typeof filter({ a: value(1) }), "boolean");
    } catch (error) {
      assert.ok(error instanceof PlatformError && error.code === "CS_VALIDATION_FAILED", String(error));
    }
  }
  assert.ok(compiled > 1000, `only ${compiled} patterns were taken`);
});

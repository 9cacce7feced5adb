import assert from "node:assert/strict";
import test from "node:test";
import { duplicateKey } from "./duplicate-key.ts";

test("a key that stands twice in one object is found, however it is spelled", () => {
  for (const [json, key] of [
    ['{"a": 1, "a": 2}', "a"],
    ['{"a": 1, "\\u0061": 2}', "a"],
    ['{"x": {"b": [1, {"c": 1, "c": 2}]}}', "c"],
    ['{"": 1, "": 2}', ""],
    ['[{"q\\"": 1, "q\\"": 2}]', 'q"'],
    ['{"files": {"a": "}", "b": "\\\\", "a": ""}}', "a"],
  ] as const) {
    assert.equal(duplicateKey(json), key, json);
  }
});

test("the same key in two objects, in texts and in arrays is no duplicate", () => {
  for (const value of [
    { a: { a: [{ a: 1 }, { a: 2 }] }, b: "a" },
    ["a", "a", { a: "a", b: ["a", "a"] }],
    { 'quoted"': 1, "slash\\": 2, '{"a":1,"a":2}': '{"a":1,"a":2}' },
    "text",
    7,
    null,
    {},
    [],
  ]) {
    assert.equal(duplicateKey(JSON.stringify(value)), undefined, JSON.stringify(value));
    assert.equal(duplicateKey(JSON.stringify(value, undefined, 2)), undefined);
  }
});

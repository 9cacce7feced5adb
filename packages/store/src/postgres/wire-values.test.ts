import assert from "node:assert/strict";
import { test } from "node:test";
import { COLUMN_TYPES, toWire } from "./wire-values.ts";

const text = COLUMN_TYPES.getTypeParser(25);
const integer = COLUMN_TYPES.getTypeParser(20);

test("any text travels without U+0000 and comes back as it was", () => {
  const parts = ["", "a", "\u0000", "\u0001", "\u0002", "\u0001\u0001", "\u0001\u0002", "ü👋"];
  for (const a of parts) {
    for (const b of parts) {
      for (const c of parts) {
        const sent = toWire(a + b + c) as string;
        assert.ok(!sent.includes("\u0000"));
        assert.equal(text(sent), a + b + c);
      }
    }
  }
});

test("texts sort as they did, and prefixes stay prefixes", () => {
  const keys = ["a", "a\u0000", "a\u0000b", "a\u0001", "a\u0001\u0000", "a\u0002", "ab"];
  const sent = keys.map((key) => toWire(key) as string);
  assert.deepEqual(sent.toSorted(), sent);
  for (const [at, key] of keys.entries()) {
    for (const [other, prefix] of keys.entries()) {
      assert.equal(sent[at]?.startsWith(sent[other] ?? ""), key.startsWith(prefix));
    }
  }
});

test("numbers are whole and within the safe integers, or an error", () => {
  assert.equal(toWire(1.5), 2);
  assert.equal(toWire(1e300), Number.MAX_SAFE_INTEGER);
  assert.equal(integer("9007199254740991"), Number.MAX_SAFE_INTEGER);
  assert.throws(() => integer("9007199254740993"), /out of range/);
});

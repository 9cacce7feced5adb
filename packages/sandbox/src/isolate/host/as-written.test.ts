import assert from "node:assert/strict";
import { test } from "node:test";
import { asWritten } from "./as-written.ts";

test("UTF-8 read as Latin-1 is read right", () => {
  for (const text of ["./ü-lib.js", "./漢/😀.js", "./Ã¼.js", "./plain.js", ""]) {
    assert.equal(asWritten(Buffer.from(text).toString("latin1")), text);
  }
});

test("text that is no such reading stays as it is", () => {
  for (const text of ["./ü-lib.js", "./漢.js", "./漢Ã¼.js", "ÿþ", "\ud800"])
    assert.equal(asWritten(text), text);
});

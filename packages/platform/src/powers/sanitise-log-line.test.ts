import assert from "node:assert/strict";
import test from "node:test";
import { LIMITS } from "@sous/contract";
import { sanitiseLogLine } from "./sanitise-log-line.ts";

const lines: [string, string, string][] = [
  ["ordinary text", "ok: é 漢 😀", "ok: é 漢 😀"],
  ["tabs and newlines", "a\tb\nc", "a\tb\nc"],
  ["colours", "\u001b[1;31mred\u001b[0m", "red"],
  ["a window title", "\u001b]0;owned\u0007text", "text"],
  ["a link", "\u001b]8;;http://x\u001b\\text\u001b]8;;\u001b\\", "text"],
  ["a cleared screen", "a\u001bc\u001b[2Jb", "ab"],
  ["a change of alphabet", "a\u001b(0b", "ab"],
  ["an escape without end", "a\u001b[", "a"],
  ["carriage returns and bells", "a\rb\u0007\u0000c", "abc"],
  ["C1 controls", "a\u009b31mb\u0085", "a31mb"],
  ["DEL", "a\u007fb", "ab"],
  ["half a character", "a\ud800b", "a\ufffdb"],
];
for (const [name, line, clean] of lines) {
  test(`${name} in a log line`, () => assert.equal(sanitiseLogLine(line), clean));
}

test("a line over the bound is cut with a mark and stays valid", () => {
  for (const text of ["x".repeat(100_000), "é".repeat(50_000), "😀".repeat(20_000), "漢".repeat(40_000)]) {
    const cut = sanitiseLogLine(text);
    assert.ok(Buffer.byteLength(cut) <= LIMITS.logLineBytesMax);
    assert.ok(Buffer.byteLength(cut) > LIMITS.logLineBytesMax - 8);
    assert.match(cut, /… \[cut\]$/);
    assert.ok(cut.isWellFormed() && !cut.includes("\ufffd"));
  }
});

test("a line of exactly the bound is left whole", () => {
  const line = "x".repeat(LIMITS.logLineBytesMax);
  assert.equal(sanitiseLogLine(line), line);
});

test("a line that is only just too long is marked even when cleaning shortens it", () => {
  assert.equal(sanitiseLogLine(`\u0000${"x".repeat(32)}`, 32), `${"x".repeat(23)}… [cut]`);
});

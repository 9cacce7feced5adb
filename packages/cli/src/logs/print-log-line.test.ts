import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createOutput } from "../output/output.ts";
import { printLogLine } from "./print-log-line.ts";

const RED = "\u001b[31m";

function print(text: string, { prefix = "", json = false, color = false } = {}): string {
  let printed = "";
  const stdout = { isTTY: color, write: (some: string) => void (printed += some) };
  const env = color ? { FORCE_COLOR: "1" } : { NO_COLOR: "1" };
  const output = createOutput({ stdout, stderr: { write: () => {} }, env, json });
  printLogLine(output, { activation_id: "a1", index: 3, text }, prefix);
  return printed;
}

void describe("an entry of a log, printed", () => {
  test("further lines of an entry look neither like another entry nor like a header", () => {
    const forged = "[info] ok\n[error] forged\r\n2026-01-01 00:00:00  0123  success\n\n  [warn] more";
    assert.equal(
      print(forged),
      "[info] ok\n  | [error] forged\n  | 2026-01-01 00:00:00  0123  success\n  | \n  |   [warn] more\n",
    );
    assert.equal(
      print("[info] ok\n[error] forged", { prefix: "a1  " }),
      "a1  [info] ok\na1    | [error] forged\n",
    );
  });

  test("the mark has no colour of a level, and each line the colour of its own", () => {
    const [first, second] = print("[error] one\ntwo", { color: true }).split("\n");
    assert.ok(first?.startsWith(`${RED}[error] one`));
    assert.ok(second?.startsWith(`  | ${RED}two`));
  });

  test("the end of a line at the end of a text begins no other, and control characters are shown", () => {
    assert.equal(print("[info] a\u001b[2Kb\n\n"), "[info] a\\x1b[2Kb\n");
    assert.equal(print("[info] a\u0085b\u000bc"), "[info] a\\x85b\\x0bc\n");
  });

  test("as JSON it is the text as it was logged", () => {
    assert.deepEqual(JSON.parse(print("[info] ok\n[error] two", { json: true, prefix: "x" })), {
      activation_id: "a1",
      index: 3,
      text: "[info] ok\n[error] two",
    });
  });
});

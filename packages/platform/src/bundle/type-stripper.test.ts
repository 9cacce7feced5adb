import assert from "node:assert/strict";
import test from "node:test";
import { createTypeStripper } from "./type-stripper.ts";

// Generous: the first file also waits for nothing, but the machine may be busy.
const patient = { deadlineMs: 60_000 };
const ENDLESS = `let a = ${"b ? (c) : d => ".repeat(60)}1`;
const DEEP = `let a = ${"(".repeat(20_000)}1${")".repeat(20_000)}`;

test("types go, lines and columns stay", async () => {
  await using stripper = createTypeStripper(patient);
  const source = "import type { X } from './x.ts';\nexport const a: number = 1 as X;\nthrow new Error();\n";
  const result = await stripper.strip("a.ts", source);
  assert.ok(result.ok);
  assert.equal(result.code.length, source.length);
  assert.doesNotMatch(result.code, /number|X/);
  assert.deepEqual(result.code.split("\n")[2], "throw new Error();");
});

const refusals: [string, string, RegExp][] = [
  ["an enum", "const a = 1;\n\n  enum A { B }\n", /^lib\/a\.ts:3:3: .*enum/],
  ["a namespace", "namespace A { export const b = 1 }", /^lib\/a\.ts:1:1: .*namespace/],
  ["a parameter property", "class A {\n constructor(private x: number) {} }", /^lib\/a\.ts:2:/],
  ["a syntax error", "const a = ;", /^lib\/a\.ts:1:11: Expression expected/],
];
for (const [name, source, reason] of refusals) {
  test(`${name} is refused with file and line`, async () => {
    await using stripper = createTypeStripper(patient);
    const result = await stripper.strip("lib/a.ts", source);
    assert.ok(!result.ok && result.settled);
    assert.match(result.reason, reason);
  });
}

test(
  "a file that would take hours is given up and the next one is served",
  { timeout: 120_000 },
  async () => {
    await using stripper = createTypeStripper({ deadlineMs: 1500 });
    const [endless, next] = await Promise.all([
      stripper.strip("endless.ts", ENDLESS),
      stripper.strip("next.ts", "let a: 1"),
    ]);
    assert.ok(!endless.ok && !endless.settled);
    assert.match(endless.reason, /^endless\.ts: takes longer than 1500 ms/);
    assert.deepEqual(next, { ok: true, code: "let a   " });
  },
);

test("a file that breaks the parser is refused and the next one is served", async () => {
  await using stripper = createTypeStripper(patient);
  const [deep, next] = await Promise.all([
    stripper.strip("deep.ts", DEEP),
    stripper.strip("next.ts", "let a: 1"),
  ]);
  assert.deepEqual(deep, { ok: false, reason: "deep.ts: is nested too deeply to read", settled: true });
  assert.deepEqual(next, { ok: true, code: "let a   " });
});

test("files over the size and files over the queue are refused at once", async () => {
  await using stripper = createTypeStripper({ ...patient, sourceCharactersMax: 10, waitingMax: 1 });
  const large = await stripper.strip("a.ts", "let a: number");
  assert.ok(!large.ok && large.settled);
  const [first, second] = await Promise.all([stripper.strip("a.ts", "1"), stripper.strip("b.ts", "1")]);
  assert.ok(first.ok);
  assert.ok(!second.ok && !second.settled);
});

test("closing answers whoever waits", async () => {
  const stripper = createTypeStripper(patient);
  const waiting = [stripper.strip("a.ts", ENDLESS), stripper.strip("b.ts", "1")];
  await stripper[Symbol.asyncDispose]();
  for (const result of await Promise.all(waiting)) assert.ok(!result.ok && !result.settled);
  const late = await stripper.strip("c.ts", "1");
  assert.ok(!late.ok);
});

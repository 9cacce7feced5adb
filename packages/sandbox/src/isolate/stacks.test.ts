import assert from "node:assert/strict";
import { test } from "node:test";
import { programOf, runOnce } from "../contract-suite.ts";
import { createIsolateDriver } from "./driver.ts";

const NOT_THE_USERS = /sous:|file:|node:|isolated-vm boundary|\.mjs|\/sandbox\//;
const late = (statement: string): string => `export default async () => { ${statement} return "fine"; }`;

/** Ways an error takes out of a program, and the stack that is told. */
const STACKS: readonly [what: string, code: string | Record<string, string>, stack: RegExp][] = [
  [
    "an unhandled rejection",
    late('Promise.reject(new Error("late"));'),
    /^Error: late\n {4}at default \(function\.js:1:\d+\)$/,
  ],
  [
    "an unhandled rejection after a host call",
    late('await cs.kv.get("a").catch(() => 0); Promise.reject(new Error("late"));'),
    /^Error: late\n {4}at default \(function\.js:1:\d+\)$/,
  ],
  [
    "an unhandled rejection in a timer",
    "export default () => new Promise(() => setTimeout(() => void Promise.reject(new Error('late')), 1))",
    /^Error: late\n {4}at function\.js:1:\d+$/,
  ],
  [
    "an unhandled rejection by what is no error",
    late("Promise.reject({ odd: 1 });"),
    /^Error: An object was thrown [^\n]*$/,
  ],
  [
    "a host call nobody waited for",
    late('cs.kv.get("a"); await new Promise((done) => setTimeout(done, 500));'),
    /^Error: refused$/,
  ],
  [
    "a throw at module level",
    'const deep = () => { throw new TypeError("x"); };\ndeep(); export default () => 1;',
    /^TypeError: x\n {4}at deep \(function\.js:1:\d+\)\n {4}at function\.js:2:1$/,
  ],
  [
    "a throw at module level, in a file with a wider name",
    {
      "function.js": 'import "./漢/ü.js"; export default () => 1;',
      "漢/ü.js": 'const größe = () => { throw new Error("ü 漢"); }; größe();',
    },
    /^Error: ü 漢\n {4}at größe \(漢\/ü\.js:1:\d+\)\n {4}at 漢\/ü\.js:1:\d+$/,
  ],
  [
    "a rejection at module level",
    'Promise.reject(new Error("x")); export default () => 1;',
    /^Error: x\n {4}at function\.js:1:16$/,
  ],
  [
    "a top-level await at module level that rejects",
    'await Promise.reject(new Error("x")); export default () => 1;',
    /^Error: x\n {4}at function\.js:1:22$/,
  ],
  [
    "require",
    'const fs = require("fs"); export default () => 1;',
    /^ReferenceError: require is not defined\n {4}at function\.js:1:12$/,
  ],
  ["exports", "exports.a = 1;", /^ReferenceError: exports is not defined\n {4}at function\.js:1:1$/],
  [
    "JSON that is none",
    { "function.js": 'import a from "./a.json"; export default () => a;', "a.json": "{oops" },
    /^SyntaxError: [^\n]*\n {4}at JSON\.parse \(<anonymous>\)\n {4}at a\.json:1:\d+$/,
  ],
  [
    "a message with a boundary of its own",
    'throw new Error("one\\n    at (<isolated-vm boundary>)\\ntwo"); export default () => 1;',
    /^Error: one\n(?:two\n)+ {4}at function\.js:1:7$/,
  ],
  [
    "a throw in a timer",
    'export default () => new Promise(() => setTimeout(() => { throw new Error("t"); }, 1))',
    /^Error: t\n {4}at function\.js:1:\d+$/,
  ],
  [
    "a throw in a microtask",
    'export default () => new Promise(() => queueMicrotask(() => { throw new Error("m"); }))',
    /^Error: m\n {4}at function\.js:1:\d+$/,
  ],
  [
    "a refused host call",
    'export default async () => { await cs.kv.get("a"); }',
    /^Error: refused(?:\n {4}at [^\n]*function\.js:1:\d+\)?)?$/,
  ],
];

test("stacks hold the user's frames only, whichever way the error took", async (t) => {
  await using driver = await createIsolateDriver({ stems: 0, pairs: 1 });
  const sandbox = await driver.create({ tenant: "t_contract" });
  const answer = () => ({ ok: false, message: "refused", code: "CS_REFUSED" }) as const;
  for (const [what, code, stack] of STACKS) {
    await t.test(what, async () => {
      const { error } = (await runOnce(sandbox, programOf(code), { answer })).outcome;
      assert.equal(error?.type, "Exception");
      assert.match(error.stack ?? "", stack);
      assert.doesNotMatch(error.stack ?? "", NOT_THE_USERS);
    });
  }
});

test("text that is no JavaScript is told with its place, and without a stack", async () => {
  await using driver = await createIsolateDriver({ stems: 0, pairs: 1 });
  const sandbox = await driver.create({ tenant: "t_contract" });
  const { outcome } = await runOnce(sandbox, programOf("export default () => {\n  const 1a = 2;\n};"));
  assert.deepEqual(outcome.error, {
    type: "BundleError",
    message: "SyntaxError: Invalid or unexpected token [function.js:2:9]",
  });
});

test("code that runs out of stack in the runtime reads none of the host's frames, nor does its caller", async () => {
  await using driver = await createIsolateDriver({ stems: 0, pairs: 1 });
  const sandbox = await driver.create({ tenant: "t_contract" });
  // At some depth there is room for the first half of what a global of the platform needs.
  const code = `export default (fails) => {
    const stacks = [];
    let last;
    const dive = (depth) => {
      try { dive(depth + 1); } catch {}
      if (stacks.length < 100) try { void globalThis.URL; } catch (error) { last = error; stacks.push(error.stack); }
    };
    dive(0);
    if (fails) throw last;
    return stacks;
  };`;
  const read = await runOnce(sandbox, programOf(code), { event: false });
  const stacks = JSON.parse(read.outcome.result?.body ?? "[]") as string[];
  assert.ok(stacks.length > 0);
  for (const stack of stacks) assert.doesNotMatch(stack, /file:|node:|\.mjs/);
  const { error } = (await runOnce(sandbox, programOf(code), { event: true })).outcome;
  assert.equal(error?.message, "RangeError: Maximum call stack size exceeded");
  assert.doesNotMatch(error.stack ?? "", NOT_THE_USERS);
});

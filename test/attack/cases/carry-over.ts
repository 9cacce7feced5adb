import assert from "node:assert/strict";
import type { InvokeAnswer } from "../../support/api.ts";
import type { AttackCase } from "../attack-case.ts";

const limits = { timeoutMs: 1200, maxConcurrency: 1 };
const says =
  (expected: unknown) =>
  (answer: InvokeAnswer): void =>
    assert.deepEqual(JSON.parse(answer.result?.body ?? "null"), expected);

/** A case in which `{ leave: true }` comes first and the next call must see nothing of it, whatever the mode. */
const clean = (name: string, code: string, expected: unknown): AttackCase => ({
  name,
  code,
  limits,
  before: [{ leave: true }],
  ends: ["success"],
  check: says(expected),
});

/** A case in which a warm isolate keeps what was left, as its mode says, and the other modes do not. */
const kept = (name: string, code: string, warm: unknown, others: unknown): AttackCase => ({
  ...clean(name, code, others),
  differs: { warm: { ends: ["success"], check: says(warm) } },
  note: "on `warm` and `shared` the next activation of the same version sees it, as that mode says",
});

/** Code that wants to reach the next activation of its version. */
export const CARRY_OVER: readonly AttackCase[] = [
  kept(
    "a global left behind",
    "const seen = globalThis.left ?? 0; if (event.leave) globalThis.left = 1; return seen;",
    1,
    0,
  ),
  kept(
    "a variable of the module left behind",
    "let left = 0;\nexport default (event) => { const seen = left; if (event.leave) left = 1; return seen; };",
    1,
    0,
  ),
  kept(
    "a prototype polluted for the next",
    "const seen = ({}).polluted ?? 0; if (event.leave) Object.prototype.polluted = 1; return seen;",
    1,
    0,
  ),
  kept(
    "built-ins replaced for the next",
    'const seen = [1].map((x) => x)[0]; if (event.leave) Array.prototype.map = () => ["forged"]; return seen;',
    "forged",
    1,
  ),
  clean(
    "JSON replaced for the next",
    'if (event.leave) { JSON.stringify = () => "forged"; JSON.parse = () => ({ forged: 1 }); } return { event };',
    { event: {} },
  ),
  clean(
    "cs replaced for the next",
    "if (event.leave) for (const change of [() => { cs.kv = 1; }, () => { globalThis.cs = 1; }, () => { delete globalThis.cs; }]) try { change(); } catch {} return typeof cs.kv.get;",
    "function",
  ),
  clean(
    "a timer left running",
    "let late = 0;\nexport default async (event) => { if (event.leave) setTimeout(() => { late = 1; }, 1); else await new Promise((done) => setTimeout(done, 30)); return late; };",
    0,
  ),
  clean(
    "an interval left running",
    "let late = 0;\nexport default async (event) => { if (event.leave) setInterval(() => { late = 1; }, 1); else await new Promise((done) => setTimeout(done, 30)); return late; };",
    0,
  ),
  clean(
    "a call out left open",
    'let late = 0;\nexport default async (event) => { if (event.leave) cs.kv.get("a").catch(() => { late = 1; }); else await new Promise((done) => setTimeout(done, 30)); return late; };',
    0,
  ),
  clean(
    "a microtask storm left behind",
    "let late = 0;\nexport default (event) => { if (event.leave) { const storm = () => queueMicrotask(storm); storm(); late = 1; } return late; };",
    0,
  ),
  clean(
    "memory left full",
    "globalThis.hoard ??= []; if (event.leave) for (;;) hoard.push(new Array(1000).fill(1)); return hoard.length;",
    0,
  ),
  clean(
    "a loop at its deadline, then a clean call",
    "globalThis.turn = (globalThis.turn ?? 0) + 1; if (event.leave) for (;;); return globalThis.turn;",
    1,
  ),
  {
    ...clean(
      "a setter of then that loops for the next",
      "if (event.leave) Object.defineProperty(Object.prototype, 'then', { get() { for (;;); }, configurable: true }); return 7;",
      7,
    ),
    before: [{ leave: true }],
    differs: { warm: { ends: ["success", "timeout/Timeout", "error/Exception"] } },
    note: "on `warm` and `shared` the version may harm itself this way, until its isolate is dropped",
  },
];

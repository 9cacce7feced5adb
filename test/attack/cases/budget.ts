import assert from "node:assert/strict";
import type { InvokeAnswer } from "../../support/api.ts";
import type { AttackCase } from "../attack-case.ts";

const limits = { timeoutMs: 3000, memoryMb: 64 };
const OVER = ["error/BudgetExceeded"] as const;

/** The answer names the budget, and came long before the deadline. */
const names =
  (budget: string) =>
  (answer: InvokeAnswer): void => {
    assert.equal((answer.error as { details?: { budget?: string } }).details?.budget, budget);
    assert.ok(answer.duration_ms < 2500, `${answer.duration_ms} ms`);
  };
const cpu = (name: string, code: string): AttackCase => ({
  name,
  code,
  limits,
  budgets: { cpuMs: 100 },
  ends: OVER,
  check: names("cpu_ms"),
});

/** Code that wants more than its budgets, a little at a time or all at once. */
export const BUDGETS: readonly AttackCase[] = [
  cpu("processor time in one loop", "for (;;);"),
  cpu("processor time at module level", "for (;;);\nexport default () => 1;"),
  cpu(
    "processor time in many short slices",
    "for (;;) { const until = Date.now() + 5; while (Date.now() < until); await new Promise((done) => setTimeout(done, 1)); }",
  ),
  cpu(
    "processor time between host calls",
    'for (;;) { const until = Date.now() + 5; while (Date.now() < until); await cs.kv.get("a").catch(() => 0); }',
  ),
  cpu("processor time in microtasks", "for (;;) await null;"),
  cpu("processor time in a built-in", "return [].indexOf.call({ length: 2 ** 53 - 1 }, 1);"),
  cpu(
    "processor time after catching everything",
    "for (;;) { try { for (;;); } catch {} finally { continue; } }",
  ),
  {
    name: "host calls past their budget, each caught",
    code: 'for (;;) try { await cs.kv.get("a"); } catch {}',
    limits,
    budgets: { hostCalls: 20 },
    ends: OVER,
    check: names("host_calls"),
  },
  {
    name: "host calls past their budget without waiting",
    code: 'for (let i = 0; i < 30; i++) cs.kv.get("a").catch(() => 0); for (;;);',
    limits,
    budgets: { hostCalls: 20 },
    ends: OVER,
    check: names("host_calls"),
  },
  {
    name: "timers past their budget, each caught",
    code: "let n = 0; for (let i = 0; i < 100; i++) try { setTimeout(() => {}, 1e6); n++; } catch {} return n;",
    limits,
    budgets: { timers: 5 },
    ends: ["success"],
    check: (answer) => assert.equal(answer.result?.body, "5"),
  },
  {
    name: "an error that claims to be a budget",
    code: 'throw Object.assign(new Error("x"), { code: "CS_RUNTIME_BUDGET_EXCEEDED", budget: "cpu_ms" });',
    limits,
    ends: OVER,
  },
  {
    name: "an error that claims a budget there is not",
    code: 'throw Object.assign(new Error("x"), { code: "CS_RUNTIME_BUDGET_EXCEEDED", budget: "__proto__" });',
    limits,
    ends: OVER,
    check: (answer) => assert.equal((answer.error as { details?: unknown }).details, undefined),
  },
  {
    name: "array buffers past their budget",
    code: "const all = []; for (;;) { all.push(new Uint8Array(2e6).fill(1)); await new Promise((done) => setTimeout(done, 1)); }",
    limits,
    budgets: { externalMemoryMb: 8 },
    ends: ["error/MemoryLimit"],
    check: names("external_memory_mb"),
  },
  {
    name: "one resizable ArrayBuffer of 400 MB",
    code: "const b = new ArrayBuffer(1, { maxByteLength: 4e8 }); b.resize(4e8); const all = new Uint8Array(b); for (let i = 0; i < 4e8; i += 4096) all[i] = 1; for (;;);",
    limits,
    ends: ["error/MemoryLimit", "timeout/Timeout"],
  },
  {
    name: "a result past its budget in characters of three bytes",
    code: 'return "€".repeat(40);',
    limits,
    budgets: { resultBytes: 100 },
    ends: ["error/ResultTooLarge"],
    check: names("result_bytes"),
  },
];

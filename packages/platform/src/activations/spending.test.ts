import assert from "node:assert/strict";
import { test } from "node:test";
import type { Principal } from "@sous/contract";
import { createSpending, type SpendingOptions } from "./spending.ts";

const NONE = { invocations: 0, cpuMs: 0, egressBytes: 0 };
const ada: Principal = { sub: "ada", roles: ["admin"] };
const bob: Principal = { sub: "bob", roles: ["admin"] };
const stranger: Principal = { sub: "anonymous", roles: [] };

function open(over: Partial<SpendingOptions>) {
  const time = { nowMs: 10_000 };
  const spending = createSpending({
    windowMs: 1000,
    tenant: NONE,
    token: NONE,
    clock: () => time.nowMs,
    ...over,
  });
  assert.ok(spending !== undefined);
  return { time, spending };
}
const spent = (budget: string, limit: number) => (error: Error & { details?: object; code?: string }) =>
  error.code === "CS_BUDGET_EXHAUSTED" &&
  JSON.stringify(error.details).startsWith(JSON.stringify({ budget, limit }).slice(0, -1));

test("without a bound there is nothing to ask", () => {
  assert.equal(createSpending({ windowMs: 1000, tenant: NONE, token: NONE, clock: () => 0 }), undefined);
});

test("a tenant's invocations end at their number, say until when, and begin anew with the window", () => {
  const { spending, time } = open({ tenant: { ...NONE, invocations: 2 } });
  time.nowMs = 10_250;
  spending.admit("t_a", ada);
  spending.admit("t_a", bob);
  assert.throws(
    () => spending.admit("t_a", ada),
    (error: Error & { retryAfterSeconds?: number; details?: object }) => {
      assert.equal(error.retryAfterSeconds, 0.75);
      assert.deepEqual(error.details, { budget: "tenant_invocations", limit: 2, resets_at_ms: 11_000 });
      return true;
    },
  );
  spending.admit("t_b", ada);
  time.nowMs = 11_000;
  spending.admit("t_a", ada);
});

test("processor time and bytes that were spent refuse what comes next", () => {
  const { spending, time } = open({ tenant: { ...NONE, cpuMs: 100, egressBytes: 1000 } });
  spending.spend("t_a", ada, 99.5, 0);
  spending.admit("t_a", ada);
  spending.spend("t_a", ada, 0.5, 0);
  assert.throws(() => spending.admit("t_a", bob), spent("tenant_cpu_ms", 100));
  time.nowMs += 1000;
  spending.spend("t_a", ada, 0, 5000);
  assert.throws(() => spending.admit("t_a", ada), spent("tenant_egress_bytes", 1000));
});

test("a token's budget is its own, and a call it refuses costs its tenant nothing", () => {
  const { spending } = open({ token: { ...NONE, invocations: 1 }, tenant: { ...NONE, invocations: 3 } });
  spending.admit("t_a", ada);
  for (let call = 0; call < 5; call++) {
    assert.throws(() => spending.admit("t_a", ada), spent("token_invocations", 1));
  }
  spending.admit("t_a", bob);
  spending.admit("t_a", stranger);
  assert.throws(() => spending.admit("t_a", stranger), spent("tenant_invocations", 3));
  spending.admit("t_b", ada);
});

test("accounts are bounded in number", () => {
  const { spending } = open({ token: { ...NONE, invocations: 1 }, accountsMax: 2 });
  for (let caller = 0; caller < 10; caller++) spending.admit("t_a", { sub: `s${caller}`, roles: ["admin"] });
  spending.admit("t_a", { sub: "s0", roles: ["admin"] });
  assert.throws(() => spending.admit("t_a", { sub: "s0", roles: ["admin"] }), spent("token_invocations", 1));
});

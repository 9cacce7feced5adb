import type { AttackCase } from "../attack-case.ts";

const limits = { timeoutMs: 700 };
/** Where the end must not be the deadline, however slow the machine is. */
const patient = { timeoutMs: 10_000 };

/** Code that wants the platform to drown. */
export const FLOODS: readonly AttackCase[] = [
  {
    name: "printing gigabytes",
    code: 'const line = "x".repeat(60000); for (let i = 0; i < 20000; i++) console.log(line); return "done";',
    limits,
    ends: ["success", "timeout/Timeout"],
  },
  {
    name: "printing for ever",
    code: 'for (;;) cs.log.info("x".repeat(1000));',
    limits,
    ends: ["timeout/Timeout"],
  },
  {
    name: "host calls without waiting",
    code: 'const all = []; for (let i = 0; i < 1e5; i++) all.push(cs.kv.get("a" + i).catch(() => 0)); await Promise.all(all); return "done";',
    limits,
    ends: ["success", "timeout/Timeout", "error/Exception"],
  },
  {
    name: "host calls for ever",
    code: 'for (;;) await cs.kv.get("a").catch(() => 0);',
    limits,
    ends: ["timeout/Timeout", "error/BudgetExceeded"],
  },
  {
    name: "a host call with a huge argument",
    code: 'await cs.kv.set("a", "x".repeat(2e7));',
    limits: patient,
    ends: ["error/Exception", "error/CapabilityDenied", "error/MemoryLimit"],
  },
  {
    name: "millions of timers",
    code: "for (let i = 0; i < 1e6; i++) setTimeout(() => {}, 1e6); return 1;",
    limits: patient,
    ends: ["error/BudgetExceeded"],
  },
  {
    name: "hostile values to console.log",
    code: 'console.log(new Proxy({}, { get() { throw 1; }, ownKeys() { throw 2; } }), { get a() { throw 3; } }, Symbol("s"), 10n, new Array(1e6)); return "done";',
    limits: patient,
    ends: ["success"],
  },
  {
    name: "control characters in the log",
    code: 'console.log("\\u001b[2J\\u0000\\u0007\\r\\nfaked line"); return "done";',
    limits: patient,
    ends: ["success"],
  },
];

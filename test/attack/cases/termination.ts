import type { AttackCase } from "../attack-case.ts";

const TIMEOUT = ["timeout/Timeout"] as const;
const limits = { timeoutMs: 300 };

/** Code that does not want to end. */
export const TERMINATION: readonly AttackCase[] = [
  { name: "endless loop", code: "for (;;);", limits, ends: TIMEOUT },
  { name: "endless loop at module level", code: "for (;;);\nexport default () => 1;", limits, ends: TIMEOUT },
  { name: "endless await loop", code: "for (;;) await null;", limits, ends: TIMEOUT },
  {
    name: "microtask storm",
    code: "const f = () => Promise.resolve().then(f); await f();",
    limits,
    ends: TIMEOUT,
  },
  {
    name: "storm after the answer",
    code: "const f = () => queueMicrotask(f); queueMicrotask(f); return 1;",
    limits,
    ends: TIMEOUT,
  },
  { name: "promise that never settles", code: "await new Promise(() => {});", limits, ends: TIMEOUT },
  {
    name: "top-level await that never settles",
    code: "await new Promise(() => {});\nexport default () => 1;",
    limits,
    ends: ["error/BundleError", "timeout/Timeout"],
  },
  {
    name: "timer that never stops",
    code: "await new Promise(() => setInterval(() => {}, 1));",
    limits,
    ends: TIMEOUT,
  },
  {
    name: "loop in a timer",
    code: "await new Promise(() => setTimeout(() => { for (;;); }, 1));",
    limits,
    ends: TIMEOUT,
  },
  {
    name: "catastrophic regular expression",
    code: 'return /^(a+)+$/.test("a".repeat(40) + "b");',
    limits,
    ends: TIMEOUT,
  },
  { name: "endless sort", code: "return [1, 2, 3].sort(() => { for (;;); });", limits, ends: TIMEOUT },
  {
    name: "indexOf over a claimed length",
    code: "return [].indexOf.call({ length: 2 ** 53 - 1 }, 1);",
    limits,
    ends: TIMEOUT,
  },
  {
    name: "includes over a claimed length",
    code: "return [].includes.call({ length: 2 ** 53 - 1 }, 1);",
    limits,
    ends: TIMEOUT,
  },
  {
    name: "reverse of a sparse array",
    code: "return new Array(2 ** 32 - 2).reverse();",
    limits,
    ends: TIMEOUT,
  },
  {
    name: "fill of a huge array",
    code: "return new Array(1e9).fill(0).length;",
    limits,
    ends: ["timeout/Timeout", "error/MemoryLimit", "error/Exception"],
  },
  {
    name: "Array.from over a claimed length",
    code: "return Array.from({ length: 2 ** 32 - 2 }).length;",
    limits,
    ends: ["timeout/Timeout", "error/MemoryLimit", "error/Exception"],
  },
  {
    name: "BigInt to text",
    code: "return (1n << (1n << 27n)).toString().length;",
    limits,
    ends: ["timeout/Timeout", "error/MemoryLimit"],
  },
  {
    name: "replace in a long string",
    code: 'return "a".repeat(2 ** 26).replace(/a/g, "bb").length;',
    limits,
    ends: ["timeout/Timeout", "error/MemoryLimit"],
  },
  {
    name: "huge source through eval",
    code: 'return eval("1;".repeat(3e6));',
    limits,
    ends: ["timeout/Timeout", "success", "error/MemoryLimit"],
  },
  {
    name: "getter that loops on a thrown error",
    code: 'const e = new Error("a"); Object.defineProperty(e, "message", { get() { for (;;); } }); throw e;',
    limits,
    ends: TIMEOUT,
  },
  {
    name: "getter that loops on a rejected error",
    code: 'const e = new Error("a"); Object.defineProperty(e, "stack", { get() { for (;;); } }); return Promise.reject(e);',
    limits,
    ends: TIMEOUT,
  },
  {
    name: "hostile error at module level",
    code: 'const e = new Error("a"); Object.defineProperty(e, "message", { get() { for (;;); } }); throw e;\nexport default () => 1;',
    limits,
    ends: TIMEOUT,
  },
  {
    name: "prepareStackTrace that loops",
    code: 'try { Error.prepareStackTrace = () => { for (;;); }; } catch {} throw new Error("x");',
    limits,
    ends: ["timeout/Timeout", "error/Exception"],
  },
  { name: "thenable that loops", code: "return { then() { for (;;); } };", limits, ends: TIMEOUT },
  { name: "toJSON that loops", code: "return { toJSON() { for (;;); } };", limits, ends: TIMEOUT },
  {
    name: "getter of the result that loops",
    code: "return { get statusCode() { for (;;); } };",
    limits,
    ends: TIMEOUT,
  },
  {
    name: "proxy that loops as a result",
    code: "return new Proxy({}, { get() { for (;;); }, has() { for (;;); } });",
    limits,
    ends: TIMEOUT,
  },
  {
    name: "error that claims to be a timeout",
    code: 'throw new Error("Script execution timed out.");\nexport default () => 1;',
    ends: ["error/Exception"],
  },
  {
    name: "error that claims to be a memory limit",
    code: 'throw new Error("memory limit");\nexport default () => 1;',
    ends: ["error/Exception"],
  },
  {
    name: "endless loop in fresh globals",
    code: "globalThis.n = 1;\nif (globalThis.n) for (;;);\nexport default () => 1;",
    limits,
    ends: TIMEOUT,
  },
];

import type { AttackCase } from "../attack-case.ts";

const MEMORY = ["error/MemoryLimit", "timeout/Timeout"] as const;
const limits = { timeoutMs: 2000, memoryMb: 32 };
/** Where the end must not be the deadline, however slow the machine is. */
const patient = { timeoutMs: 10_000, memoryMb: 32 };

/** Code that takes memory without end. */
export const MEMORY_BOMBS: readonly AttackCase[] = [
  {
    name: "heap of arrays",
    code: "const a = []; for (;;) a.push(new Array(1000).fill(1));",
    limits,
    ends: MEMORY,
  },
  { name: "heap of objects", code: "const a = []; for (;;) a.push({ a: 1, b: [2] });", limits, ends: MEMORY },
  {
    name: "object with millions of keys",
    code: "const o = {}; for (let i = 0; ; i++) o['k' + i] = i;",
    limits,
    ends: MEMORY,
  },
  {
    name: "growing map",
    code: "const m = new Map(); for (let i = 0; ; i++) m.set(i, [i]);",
    limits,
    ends: MEMORY,
  },
  {
    name: "ArrayBuffers",
    code: "const a = []; for (;;) a.push(new ArrayBuffer(1e6));",
    limits,
    ends: [...MEMORY, "error/Exception"],
  },
  {
    name: "one huge ArrayBuffer",
    code: "return new Uint8Array(4e9).length;",
    limits,
    ends: [...MEMORY, "error/Exception"],
  },
  {
    name: "resizable ArrayBuffer",
    code: "const b = new ArrayBuffer(1, { maxByteLength: 2e9 }); b.resize(2e9); new Uint8Array(b).fill(1); for (;;);",
    limits,
    ends: [...MEMORY, "error/Exception"],
  },
  {
    name: "many resizable ArrayBuffers",
    code: "const k = []; for (;;) { const b = new ArrayBuffer(1, { maxByteLength: 1e8 }); b.resize(1e8); new Uint8Array(b).fill(1); k.push(b); }",
    limits,
    ends: [...MEMORY, "error/Exception"],
  },
  {
    name: "strings",
    code: 'const a = []; for (let i = 0; ; i++) { const s = (i + "x").repeat(1e6); s.charCodeAt(5); a.push(s); }',
    limits,
    ends: [...MEMORY, "error/Exception"],
  },
  {
    name: "normalised string",
    code: 'const k = []; for (;;) k.push("\\uFDFA".repeat(2e6).normalize("NFKD"));',
    limits,
    ends: [...MEMORY, "error/Exception"],
  },
  {
    name: "Intl objects",
    code: 'const k = []; for (let i = 0; ; i++) k.push(new Intl.DateTimeFormat("en", { timeZone: "Europe/Paris" }));',
    limits,
    ends: MEMORY,
  },
  {
    name: "recursion",
    code: "const f = () => f() + 1; return f();",
    limits: patient,
    ends: ["error/Exception"],
  },
  {
    name: "recursion through await",
    code: "const f = async () => { await null; return (await f()) + 1; }; return f();",
    limits,
    ends: [...MEMORY, "error/Exception"],
  },
  {
    name: "deep JSON",
    code: 'return JSON.parse("[".repeat(4e6) + "]".repeat(4e6));',
    limits,
    ends: ["error/Exception", ...MEMORY],
  },
  {
    name: "result of 300 MB",
    code: 'return "x".repeat(3e8);',
    limits: patient,
    ends: ["error/ResultTooLarge", "error/MemoryLimit", "error/Exception"],
  },
  {
    name: "error message of 300 MB",
    code: 'throw new Error("x".repeat(3e8));',
    limits: patient,
    ends: ["error/Exception", "error/MemoryLimit"],
  },
];

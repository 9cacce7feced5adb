import assert from "node:assert/strict";
import type { InvokeAnswer } from "../../support/api.ts";
import type { AttackCase } from "../attack-case.ts";

const body = (answer: InvokeAnswer): unknown => JSON.parse(answer.result?.body ?? "null");
const says =
  (expected: unknown) =>
  (answer: InvokeAnswer): void =>
    assert.deepEqual(body(answer), expected);

/** Code that wants out, or wants the platform's own words. */
export const BORDER: readonly AttackCase[] = [
  {
    name: "process through a constructor",
    code: 'return typeof this?.constructor?.constructor("return typeof process")() + Function("return typeof process + typeof require + typeof global")();',
    ends: ["success", "error/Exception"],
    check: (answer) => assert.ok(!String(answer.result?.body ?? "").includes("object")),
  },
  {
    name: "the global object through Function",
    code: 'const g = Function("return this")(); return ["process", "require", "module", "Buffer", "__sous_guest__"].map((k) => typeof g[k]);',
    ends: ["success"],
    check: says(["undefined", "undefined", "undefined", "undefined", "undefined"]),
  },
  {
    name: "require",
    code: 'return require("fs").readFileSync("/etc/passwd", "utf8");',
    ends: ["error/Exception"],
  },
  { name: "process", code: "return process.env;", ends: ["error/Exception"] },
  { name: "dynamic import", code: 'return import("node:fs");', ends: ["error/Exception"] },
  {
    name: "static import of a built-in",
    code: 'import fs from "node:fs";\nexport default () => fs.readdirSync("/");',
    ends: ["error/BundleError"],
  },
  {
    name: "static import outside the bundle",
    code: 'import x from "../../etc/passwd";\nexport default () => x;',
    ends: ["error/BundleError"],
  },
  {
    name: "static import of an absolute path",
    code: 'import x from "/etc/passwd";\nexport default () => x;',
    ends: ["error/BundleError"],
  },
  {
    name: "WebAssembly, SharedArrayBuffer, Atomics",
    code: "return [typeof WebAssembly, typeof SharedArrayBuffer, typeof Atomics];",
    ends: ["success"],
    check: says(["undefined", "undefined", "undefined"]),
  },
  {
    name: "the constructor of a host function",
    code: 'return [cs.kv.get, cs.log.info, setTimeout, console.log].map((f) => f.constructor("return typeof process")());',
    ends: ["success"],
    check: says(["undefined", "undefined", "undefined", "undefined"]),
  },
  {
    name: "changing cs",
    code: "try { cs.kv.get = () => 1; } catch {} try { Object.setPrototypeOf(cs, { x: 1 }); } catch {} try { delete globalThis.cs; } catch {} return [typeof cs.kv.get, typeof cs.x, Object.isFrozen(cs)];",
    ends: ["success"],
    check: says(["function", "undefined", true]),
  },
  {
    name: "tampered JSON",
    code: 'JSON.stringify = () => "forged"; JSON.parse = () => ({ forged: 1 }); return { real: 1 };',
    ends: ["success"],
    check: says({ real: 1 }),
  },
  {
    name: "tampered Promise and Array",
    code: 'Promise.prototype.then = () => { throw 1; }; Array.prototype.push = () => {}; Map.prototype.get = () => {}; String.prototype.slice = () => "x"; return { real: 1 };',
    ends: ["success", "timeout/Timeout", "error/Exception"],
    limits: { timeoutMs: 400 },
  },
  {
    name: "setters on Object.prototype",
    code: 'for (const k of ["id", "ok", "type", "body", "headers", "statusCode", "reply", "get", "set"]) Object.defineProperty(Object.prototype, k, { set() { globalThis.leak = k; }, configurable: true }); return typeof leak;',
    ends: ["success", "error/Exception"],
    check: (answer) => answer.status === "success" && assert.equal(body(answer), "undefined"),
  },
  {
    name: "toJSON on Object.prototype forges only its own answer",
    code: "Object.prototype.toJSON = () => ({ forged: true }); return { real: 2 };",
    ends: ["success", "error/Exception"],
  },
  {
    name: "__proto__ in a result",
    code: 'return JSON.parse(\'{"__proto__": {"polluted": 1}, "a": 1}\');',
    ends: ["success"],
  },
  {
    name: "__proto__ as a header",
    code: 'return { statusCode: 200, headers: JSON.parse(\'{"__proto__": "x"}\'), body: "ok" };',
    ends: ["success", "error/Exception"],
  },
  {
    name: "two answers of a thenable",
    code: "return { then(r) { r({ n: 1 }); r({ n: 2 }); } };",
    ends: ["success"],
    check: says({ n: 1 }),
  },
  {
    name: "throwing something that is no error",
    code: "throw { toString() { return 'x'; }, code: 7 };",
    ends: ["error/Exception"],
  },
  { name: "throwing undefined", code: "throw undefined;", ends: ["error/Exception"] },
  {
    name: "throwing a proxy",
    code: 'throw new Proxy({}, { get() { throw new Error("again"); } });',
    ends: ["error/Exception"],
  },
  {
    name: "status code out of range",
    code: 'return { statusCode: 999, body: "x" };',
    ends: ["error/Exception"],
  },
  {
    name: "body that is no string",
    code: "return { statusCode: 200, body: { a: 1 } };",
    ends: ["error/Exception"],
  },
  {
    name: "headers that are no strings",
    code: 'return { statusCode: 200, headers: { a: 1 }, body: "x" };',
    ends: ["error/Exception"],
  },
  { name: "result that cannot be written", code: "return 10n;", ends: ["error/Exception"] },
  { name: "cyclic result", code: "const a = {}; a.a = a; return a;", ends: ["error/Exception"] },
  { name: "no handler", code: "export const other = 1;", ends: ["error/BundleError"] },
  {
    name: "syntax error",
    code: "export default () => { let a = ; }",
    ends: ["error/BundleError"],
    check: (answer) => assert.match(answer.error?.message ?? "", /function\.js:1/),
  },
];

import assert from "node:assert/strict";
import test from "node:test";
import { type Ending, runGuest } from "./testing/run-guest.ts";

const SLICE_MS = 300;
const bodyOf = (ending: Ending): unknown => (ending.kind === "reply" ? JSON.parse(ending.body) : ending);

test("nothing of the host or of Node can be reached", async () => {
  const code = `
    const global = cs.http.fetch.constructor("return this")();
    const found = [];
    for (const name of ["process", "require", "module", "Buffer", "global", "WebAssembly", "SharedArrayBuffer",
      "Atomics", "FinalizationRegistry", "escape", "unescape", "__sous_guest__"]) if (name in global) found.push(name);
    export default async () => ({
      found,
      dynamic: await import("node:fs").then(() => "imported", () => "refused"),
      constructor: this === undefined && (() => {}).constructor("return typeof process")(),
      frozen: [cs, cs.log, cs.kv, cs.codeq, cs.http, cs.cadence, cs.secrets, cs.kv.get].every(Object.isFrozen),
      prototypes: [cs, cs.log, cs.kv, cs.http].map(Object.getPrototypeOf),
      tree: Object.fromEntries(Object.entries(cs).map(([name, branch]) => [name, Object.keys(branch)])),
    });`;
  assert.deepEqual(bodyOf((await runGuest(code)).ending), {
    found: [],
    dynamic: "refused",
    constructor: "undefined",
    frozen: true,
    prototypes: [null, null, null, null],
    tree: {
      log: ["debug", "info", "warn", "error"],
      kv: ["get", "set", "del"],
      codeq: ["publish"],
      http: ["fetch"],
      cadence: ["heartbeat"],
      secrets: ["get"],
    },
  });
});

test("tampered built-ins change nothing about results, calls and logs", async () => {
  const tampers = [
    "JSON.stringify = () => 'FORGED'; JSON.parse = () => 'FORGED';",
    "Promise.prototype.then = function () { throw new Error('then'); };",
    "Object.defineProperty(Promise, Symbol.species, { get() { throw new Error('species'); } });",
    "globalThis.Promise = class {};",
    "Array.prototype[Symbol.iterator] = function () { throw new Error('iterator'); };",
    "Array.prototype.push = Array.prototype.join = Map.prototype.get = () => { throw new Error('array'); };",
    "Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => 'FORGED';",
    "String.prototype.slice = String.prototype.charCodeAt = String.prototype.includes = () => 'FORGED';",
    "Object.keys = Object.freeze = Object.defineProperty = Reflect.apply = () => 'FORGED';",
    "for (const k of ['0','1','value','get','set','ok','code','id','kind','body','statusCode','next','resolve','writable','message'])" +
      "Object.defineProperty(Object.prototype, k, { __proto__: null, set() { globalThis.leak = k; }, get() { globalThis.leak = k; return 7; }, configurable: true });",
    "Object.defineProperty(Array.prototype, '0', { set() { globalThis.leak = 1; }, get() { return 'FORGED'; }, configurable: true });",
  ];
  for (const tamper of tampers) {
    const code = `${tamper}
      export default async (event) => {
        cs.log.info("line");
        const found = await cs.kv.get("key");
        return { statusCode: 201, headers: { a: "b" }, body: event.text + found.text };
      };`;
    const run = await runGuest(code, {
      event: { text: "event " },
      answer: () => ({ json: '{"text":"answer"}' }),
    });
    const expected = {
      kind: "reply",
      statusCode: 201,
      headers: { a: "b" },
      body: "event answer",
      isBase64Encoded: false,
    };
    assert.deepEqual(run.ending, expected, tamper);
    assert.deepEqual(run.calls, [{ operation: "kv.get", arguments: ["key"] }], tamper);
    assert.deepEqual(run.logs, ["info line"], tamper);
  }
});

test("hostile thrown values end with the slice, not after it", async () => {
  const hostile = [
    "Object.defineProperty(e, 'message', { get() { for (;;); } })",
    "Object.defineProperty(e, 'stack', { get() { for (;;); } })",
    "Object.defineProperty(e, 'name', { get() { for (;;); } })",
    "Object.defineProperty(e, 'code', { get() { for (;;); } })",
  ];
  for (const trap of hostile) {
    const { ending } = await runGuest(
      `export default () => { const e = new Error("x"); ${trap}; throw e; };`,
      {
        timeoutMs: SLICE_MS,
      },
    );
    assert.equal(ending.kind, "stopped", trap);
    assert.match(ending.kind === "stopped" ? ending.message : "", /timed out/, trap);
  }
  const throwing = await runGuest(
    "export default () => { throw new Proxy({}, { get() { throw new Error('trap'); }, ownKeys() { throw 1; } }); };",
  );
  assert.equal(throwing.ending.kind === "fail" && throwing.ending.type, "Exception");
});

test("no hook runs when V8 makes a stack", async () => {
  const code = `
    Error.prepareStackTrace = () => { for (;;); };
    try { Object.defineProperty(Error, "prepareStackTrace", { value: () => { for (;;); } }); } catch {}
    export default () => { throw new Error("still here"); };`;
  const { ending } = await runGuest(code, { timeoutMs: SLICE_MS });
  assert.equal(ending.kind === "fail" && ending.message, "still here");
});

test("a guest can forge nothing but its own result", async () => {
  const forged = await runGuest(
    "Object.prototype.toJSON = function () { return { forged: true }; }; export default () => ({ real: 1 });",
  );
  assert.equal(forged.ending.kind === "reply" && forged.ending.body, '{"forged":true}');
  const named = await runGuest(
    `export default () => ({ headers: JSON.parse('{"__proto__": "x", "constructor": "y"}'), body: "b" });`,
  );
  assert.deepEqual(named.ending.kind === "reply" && Object.entries(named.ending.headers), [
    ["__proto__", "x"],
    ["constructor", "y"],
  ]);
  assert.equal(({} as Record<string, unknown>)["x"], undefined);
});

test("arguments of host calls are written down inside the guest", async () => {
  const code = `
    const got = [];
    export default async () => {
      const proxy = new Proxy({ a: 1 }, { get(t, k) { got.push(String(k)); return t[k]; } });
      await cs.codeq.publish("topic", proxy);
      await cs.kv.set("k", { get x() { got.push("getter"); return 1; } }, { ttlSeconds: 5 });
      return got.length > 0;
    };`;
  const run = await runGuest(code);
  assert.equal(bodyOf(run.ending), true);
  assert.deepEqual(run.calls, [
    { operation: "codeq.publish", arguments: ["topic", { a: 1 }] },
    { operation: "kv.set", arguments: ["k", { x: 1 }, { ttlSeconds: 5 }] },
  ]);
});

test("an ending is reported once, whatever a handler does with it", async () => {
  const cases = [
    "export default () => ({ then(resolve, reject) { resolve({ body: 'a' }); reject(new Error('b')); } });",
    "export default async () => { setTimeout(() => { throw new Error('late'); }, 5); return { body: 'a' }; };",
    "export default async () => { queueMicrotask(() => { throw new Error('micro'); }); return { body: 'a' }; };",
    "export default () => { Promise.reject(new Error('unhandled')); return { body: 'a' }; };",
  ];
  for (const code of cases) assert.equal((await runGuest(code)).endings, 1, code);
});

test("a handler that never settles stays silent", async () => {
  const run = await runGuest("export default () => new Promise(() => {});");
  assert.deepEqual([run.ending.kind, run.endings], ["silent", 0]);
});

test("endless code ends with its slice, in the lazy parts too", async () => {
  const cases = [
    "export default () => { for (;;); };",
    "export default async () => { for (;;) await null; };",
    "Array.prototype.includes = String.prototype.replace = () => { for (;;); }; export default () => new Headers([['a', 'b']]).get('a');",
    "Object.hasOwn = Reflect.ownKeys = () => { for (;;); }; export default () => new URL('http://a/').href;",
    "export default () => { console.log(new Proxy({}, { ownKeys() { for (;;); } })); };",
  ];
  for (const code of cases) {
    const { ending } = await runGuest(code, { timeoutMs: SLICE_MS });
    assert.equal(ending.kind, "stopped", code);
  }
});

test("frozen globals and a taken name do not keep the lazy parts away", async () => {
  const code = `
    Object.freeze(globalThis);
    export default () => [new URL("http://a/b").pathname, atob("YQ=="), typeof structuredClone];`;
  assert.deepEqual(bodyOf((await runGuest(code)).ending), ["/b", "a", "function"]);
  const assigned = await runGuest(
    "globalThis.URL = 5; globalThis.fetch = 6; export default () => [URL, fetch];",
  );
  assert.deepEqual(bodyOf(assigned.ending), [5, 6]);
  assert.deepEqual(assigned.loads, []);
});

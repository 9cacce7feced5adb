import assert from "node:assert/strict";
import test from "node:test";
import { type Ending, runGuest } from "./testing/run-guest.ts";

const bodyOf = (ending: Ending): unknown => (ending.kind === "reply" ? JSON.parse(ending.body) : ending);

test("every host call carries its arguments as JSON and gives its answer back", async () => {
  const code = `export default async () => [
    await cs.kv.get("a"), await cs.kv.set("b", [1]), await cs.kv.del("c"), await cs.codeq.publish("jobs.x", { n: 1 }),
    await cs.http.fetch("https://x.test/", { method: "PUT", headers: { A: 1 }, body: new Uint8Array([255]), timeoutMs: 9 }),
    await cs.http.fetch("https://x.test/", { body: "text" }), await cs.cadence.heartbeat({ at: 1 }),
    await cs.cadence.heartbeat(), await cs.secrets.get("token")];`;
  let number = 0;
  const run = await runGuest(code, { answer: () => ({ json: String(++number) }) });
  assert.deepEqual(bodyOf(run.ending), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.deepEqual(run.calls, [
    { operation: "kv.get", arguments: ["a"] },
    { operation: "kv.set", arguments: ["b", [1]] },
    { operation: "kv.del", arguments: ["c"] },
    { operation: "codeq.publish", arguments: ["jobs.x", { n: 1 }] },
    {
      operation: "http.fetch",
      arguments: [
        "https://x.test/",
        { method: "PUT", headers: { A: "1" }, body: "/w==", isBase64Encoded: true, timeoutMs: 9 },
      ],
    },
    { operation: "http.fetch", arguments: ["https://x.test/", { body: "text" }] },
    { operation: "cadence.heartbeat", arguments: [{ at: 1 }] },
    { operation: "cadence.heartbeat", arguments: [] },
    { operation: "secrets.get", arguments: ["token"] },
  ]);
});

test("wrong arguments reject before the host hears of them", async () => {
  const calls = [
    "cs.kv.get(1)",
    "cs.kv.set('a')",
    "cs.kv.set('a', 1n)",
    "cs.kv.set('a', 1, { ttlSeconds: 'x' })",
    "cs.codeq.publish()",
    "cs.codeq.publish('t', () => 1)",
    "cs.http.fetch('https://x/', { method: 1 })",
    "cs.http.fetch('https://x/', { body: {} })",
    "cs.secrets.get(Symbol())",
    "cs.kv.set('a', 'x'.repeat(1024 * 1024))",
  ];
  for (const call of calls) {
    const run = await runGuest(`export default () => ${call}.then(() => "done", (e) => e instanceof Error);`);
    assert.equal(bodyOf(run.ending), true, call);
    assert.deepEqual(run.calls, [], call);
  }
});

test("an option there is not is refused with the names of those there are", async () => {
  const ofHttp = "method, headers, body, isBase64Encoded, timeoutMs, redirect";
  const calls: readonly [call: string, message: string][] = [
    ["cs.kv.set('a', 1, { ttl: 5 })", 'cs.kv.set: there is no option "ttl"; the options are: ttlSeconds'],
    [
      "cs.kv.set('a', 1, { ttlSeconds: 5, ['__proto__']: 1 })",
      'cs.kv.set: there is no option "__proto__"; the options are: ttlSeconds',
    ],
    [
      "(Object.prototype.ttl = true, cs.kv.set('a', 1, { ttl: 5 }))",
      'cs.kv.set: there is no option "ttl"; the options are: ttlSeconds',
    ],
    ["cs.kv.set('a', 1, 5)", "cs.kv.set: options must be an object"],
    ["cs.http.fetch('https://x/', 'POST')", "cs.http.fetch: options must be an object"],
    [
      "cs.http.fetch('https://x/', { timeout: 5 })",
      `cs.http.fetch: there is no option "timeout"; the options are: ${ofHttp}`,
    ],
  ];
  for (const [call, message] of calls) {
    const run = await runGuest(`export default () => ${call}.catch((e) => [e.name, e.message]);`);
    assert.deepEqual(bodyOf(run.ending), ["TypeError", message], call);
    assert.deepEqual(run.calls, [], call);
  }
});

test("options may be left out, and be nothing", async () => {
  const code = `export default async () => {
    for (const none of [undefined, null, {}, { ttlSeconds: undefined }]) await cs.kv.set("a", 1, none);
    for (const none of [undefined, null, {}, { method: undefined }]) await cs.http.fetch("https://x/", none);
    return 1;
  }`;
  const run = await runGuest(code, { answer: () => ({ json: "null" }) });
  assert.equal(bodyOf(run.ending), 1);
  assert.deepEqual(
    run.calls.map((call) => JSON.stringify(call.arguments)),
    [...Array<string>(4).fill('["a",1]'), ...Array<string>(4).fill('["https://x/",{}]')],
  );
});

test("more calls than fit wait for their turn, in order", async () => {
  const code = `export default async () => {
    const keys = Array.from({ length: 200 }, (_, index) => String(index));
    return (await Promise.all(keys.map((key) => cs.kv.get(key)))).join() === keys.join(); };`;
  const run = await runGuest(code, { answer: (call) => ({ json: JSON.stringify(call.arguments[0]) }) });
  assert.equal(bodyOf(run.ending), true);
  assert.equal(run.openMax, 64);
  assert.deepEqual(
    run.calls.map((call) => call.arguments[0]),
    Array.from({ length: 200 }, (_, i) => String(i)),
  );
});

test("logs and the console write bounded lines with their level", async () => {
  const code = `
    class Point { constructor() { this.x = 1; } get y() { throw new Error("read"); } }
    const cyclic = { name: "c" }; cyclic.self = cyclic;
    export default () => {
      cs.log.debug("plain"); cs.log.info({ a: [1, "b"] }, 2); cs.log.warn(cyclic); cs.log.error(10n);
      console.log("%s is %d%% of %j, %o", "a", "5", { b: 1 }, [1], "rest");
      console.info({ a: 1, nested: { deep: { deeper: { deepest: { gone: {} } } } } });
      console.warn(new Map([[1, { a: 2 }]]), new Set([1]), new Point(), new Date(0), /a/g, () => 1, class A {}, Symbol("s"), -0, null);
      console.error([1, , 3], new Uint8Array(3), Object.create(null), "text", undefined, { get a() { return 1; } });
      console.assert(true, "no"); console.assert(false, "yes"); console.count(); console.count(); console.countReset(); console.count("x");
      console.group("g"); console.log("in"); console.groupEnd(); console.log("out");
      console.time("t"); console.timeEnd("t"); console.timeEnd("t");
      console.table([{ a: 1, b: "x" }, { a: 22 }]); console.dir({ d: 1 }); console.log();
    };`;
  const { logs } = await runGuest(code);
  assert.deepEqual(logs, [
    "debug plain",
    'info {"a":[1,"b"]} 2',
    'warn { name: "c", self: [Circular] }',
    "error 10n",
    'info a is 5% of {"b":1}, [1] rest',
    "info { a: 1, nested: { deep: { deeper: { deepest: { gone: [Object] } } } } }",
    "warn Map(1) { 1 => { a: 2 } } Set(1) { 1 } Point { x: 1 } 1970-01-01T00:00:00.000Z /a/g [Function] [Function: A] Symbol(s) -0 null",
    "error [1, <empty>, 3] Uint8Array(3) [0, 0, 0] [Object: null prototype] {} text undefined { a: [Getter/Setter] }",
    "error Assertion failed: yes",
    "info default: 1",
    "info default: 2",
    "info x: 1",
    "info g",
    "info   in",
    "info out",
    "info t: 0.000ms",
    "warn Timer 't' does not exist",
    'info (index)  a   b\n0        1   "x"\n1        22  ',
    "info { d: 1 }",
    "info ",
  ]);
});

test("values that are huge, deep or hostile stay within the bounds of a line", async () => {
  const code = `
    const deep = {}; let at = deep; for (let i = 0; i < 1e4; i++) at = at.next = {};
    const trap = new Proxy({}, { get() { throw 1; }, ownKeys() { throw 2; }, getPrototypeOf() { throw 3; } });
    const error = new Error("e"); Object.defineProperty(error, "stack", { get() { throw 4; } });
    export default () => {
      console.log("é".repeat(1e6)); console.log(Array.from({ length: 1e5 }, (_, i) => "item" + i));
      console.log(deep); console.log(trap); console.log(error); console.log(Object.fromEntries(Array.from({ length: 1e4 }, (_, i) => ["k" + i, { i }])));
      console.log(new Map(Array.from({ length: 1e5 }, (_, i) => [i, i]))); cs.log.info("x".repeat(1e6)); cs.log.info(trap);
    };`;
  const { logs, endings } = await runGuest(code, { memoryMb: 128 });
  assert.equal(endings, 1);
  assert.equal(logs.length, 9);
  for (const line of logs)
    assert.ok(Buffer.byteLength(line) <= 65_536 + 8, `${Buffer.byteLength(line)} bytes`);
  assert.match(logs[0] ?? "", /… \[truncated\]$/);
  assert.equal(logs[3], "info [a value that cannot be shown]");
  assert.equal(logs[4], "info [Error: e]");
});

test("timers fire in order, repeat, are cleared, and take arguments", async () => {
  const code = `export default async () => {
    const seen = [];
    setTimeout((a, b) => seen.push(a + b), 20, "c", "d");
    setTimeout(() => seen.push("first"), 10);
    const never = setTimeout(() => seen.push("never"), 5); clearTimeout(never); clearTimeout(undefined); clearTimeout("x");
    let ticks = 0; const interval = setInterval(() => { seen.push("tick"); if (++ticks === 3) clearInterval(interval); }, 4);
    queueMicrotask(() => seen.push("micro")); seen.push("sync");
    await new Promise((resolve) => setTimeout(resolve, 30));
    return seen; };`;
  const run = await runGuest(code);
  assert.deepEqual(bodyOf(run.ending), ["sync", "micro", "tick", "tick", "first", "tick", "cd"]);
  assert.equal(run.timersLeft, 0);
});

test("timers are bounded, and what they throw ends the activation", async () => {
  const many = await runGuest(
    "export default () => { let n = 0; try { for (;;) { setTimeout(() => {}, 1e6); n++; } } catch (e) { return [n, e.code, e.budget]; } };",
  );
  assert.deepEqual(bodyOf(many.ending), [1000, "CS_RUNTIME_BUDGET_EXCEEDED", "timers"]);
  for (const start of ["setTimeout(f, 1)", "setInterval(f, 1)", "queueMicrotask(f)"]) {
    const code = `const f = () => { throw new RangeError("in a callback"); }; export default () => { ${start}; return new Promise(() => {}); };`;
    const { ending, endings } = await runGuest(code);
    assert.equal(ending.kind === "fail" && ending.message, "RangeError: in a callback", start);
    assert.equal(endings, 1, start);
  }
  const wrong = await runGuest(
    "export default () => { try { setTimeout('code', 1); } catch (e) { return e.name; } };",
  );
  assert.equal(bodyOf(wrong.ending), "TypeError");
});

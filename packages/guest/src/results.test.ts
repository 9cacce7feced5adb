import assert from "node:assert/strict";
import test from "node:test";
import { type Ending, runGuest } from "./testing/run-guest.ts";

const returned = async (expression: string): Promise<Ending> =>
  (await runGuest(`export default async () => (${expression});`)).ending;
const reply = (
  statusCode: number,
  body: string,
  headers = {},
  isBase64Encoded = false,
): Extract<Ending, { kind: "reply" }> => ({
  kind: "reply",
  statusCode,
  headers,
  body,
  isBase64Encoded,
});

test("each kind of return value becomes the result the contract says", async () => {
  const cases: [string, Ending][] = [
    ["null", reply(200, "")],
    ["undefined", reply(200, "")],
    ['"text"', reply(200, '"text"')],
    ["41 + 1", reply(200, "42")],
    ["false", reply(200, "false")],
    ["[1, { a: 2 }]", reply(200, '[1,{"a":2}]')],
    ["({ a: 1 })", reply(200, '{"a":1}')],
    ["({})", reply(200, "{}")],
    ["({ statusCode: 201 })", reply(201, "")],
    ['({ body: "b" })', reply(200, "b")],
    ['({ headers: { "x-a": "1" } })', reply(200, "", { "x-a": "1" })],
    ["({ isBase64Encoded: true })", reply(200, "", {}, true)],
    [
      '({ statusCode: 418, headers: { A: "b" }, body: "YQ==", isBase64Encoded: true, more: 1 })',
      reply(418, "YQ==", { A: "b" }, true),
    ],
    ["({ statusCode: undefined, body: undefined })", reply(200, "")],
    [
      '({ headers: { "set-cookie": "z=0" }, cookies: ["a=1", "b=ü"] })',
      { ...reply(200, "", { "set-cookie": "z=0" }), cookies: ["a=1", "b=ü"] },
    ],
    ["({ statusCode: 201, cookies: [] })", reply(201, "")],
    ["({ statusCode: 201, cookies: undefined })", reply(201, "")],
    ['({ cookies: ["a=1"] })', reply(200, '{"cookies":["a=1"]}')],
    ["({ then(resolve) { resolve({ statusCode: 202 }); resolve(1); } })", reply(202, "")],
    ["Object.create({ statusCode: 500 })", reply(200, "{}")],
  ];
  for (const [expression, expected] of cases)
    assert.deepEqual(await returned(expression), expected, expression);
});

test("a result with a wrong shape fails and names the field", async () => {
  const cases: [string, RegExp][] = [
    ['({ statusCode: "200" })', /statusCode/],
    ["({ statusCode: 99 })", /statusCode/],
    ["({ statusCode: 600 })", /statusCode/],
    ["({ statusCode: 200.5 })", /statusCode/],
    ["({ body: { a: 1 } })", /result\.body must be a string, not object/],
    ["({ body: 1 })", /result\.body must be a string, not number/],
    ["({ headers: [] })", /result\.headers .*array/],
    ["({ headers: 1 })", /result\.headers/],
    ['({ headers: { "x-n": 1 } })', /result\.headers\["x-n"\] must be a string, not number/],
    ['({ headers: { "x-n": true } })', /result\.headers\["x-n"\]/],
    ['({ headers: { "": "a" } })', /without a name/],
    ["({ isBase64Encoded: 1 })", /isBase64Encoded/],
    ['({ body: "", cookies: "a=1" })', /result\.cookies must be an array of strings, not string/],
    ['({ body: "", cookies: { a: 1 } })', /result\.cookies must be an array of strings, not object/],
    ['({ body: "", cookies: ["a=1", 2] })', /result\.cookies\[1\] must be a string, not number/],
    ["10n", /JSON/],
    ["(() => { const a = {}; a.a = a; return a; })()", /JSON/],
    ["() => 1", /JSON/],
    ["Symbol('s')", /JSON/],
    ["({ get statusCode() { throw new Error('from a getter'); } })", /from a getter/],
  ];
  for (const [expression, message] of cases) {
    const ending = await returned(expression);
    assert.equal(ending.kind, "fail", expression);
    assert.equal(ending.kind === "fail" && ending.type, "Exception", expression);
    assert.match(ending.kind === "fail" ? ending.message : "", message);
  }
});

test("a result over its bounds is too large, at the bound it is not", async () => {
  const body = "const body = (n, c) => ({ body: c.repeat(n) });";
  const run = async (expression: string): Promise<Ending> =>
    (await runGuest(`${body} export default () => ${expression};`, { memoryMb: 256 })).ending;
  assert.equal((await run('body(6 * 1024 * 1024, "a")')).kind, "reply");
  assert.equal((await run('body(3 * 1024 * 1024, "é")')).kind, "reply");
  assert.equal((await run('({ body: "", cookies: Array(50).fill("x".repeat(4096)) })')).kind, "reply");
  for (const expression of [
    '({ body: "", cookies: Array(51).fill("a=1") })',
    '({ body: "", cookies: ["x".repeat(4097)] })',
    'body(6 * 1024 * 1024 + 1, "a")',
    'body(3 * 1024 * 1024 + 1, "é")',
    'body(3e8, "a")',
    '({ headers: { a: "x".repeat(17000) } })',
    "({ headers: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`h${i}`, ``])) })",
  ]) {
    const ending = await run(expression);
    assert.equal(ending.kind === "fail" && ending.type, "ResultTooLarge", expression);
  }
});

test("the handler gets the event and a frozen context with the time that is left", async () => {
  const code = `export default (event, ctx) => ({ event, frozen: Object.isFrozen(ctx), keys: Object.keys(ctx), left: ctx.remainingMs() });`;
  const deadline = Date.now() + 60_000;
  const { ending } = await runGuest(code, {
    event: { a: [1] },
    context: { deadline_ms: deadline, tenant: "t_a" },
  });
  assert.equal(ending.kind, "reply");
  const seen = JSON.parse(ending.kind === "reply" ? ending.body : "") as Record<string, unknown>;
  assert.deepEqual(seen["event"], { a: [1] });
  assert.equal(seen["frozen"], true);
  assert.deepEqual(seen["keys"], ["activation_id", "trigger", "deadline_ms", "tenant", "remainingMs"]);
  const left = seen["left"] as number;
  assert.ok(left > 0 && left <= 60_000, `${left} ms left`);
});

test("a module without a handler says what to export", async () => {
  const cases: [string, string, RegExp][] = [
    ["export const other = 1;", "default", /no default export; export a function/],
    ["export default 5;", "default", /neither a function/],
    ["export default {};", "default", /neither a function/],
    ["export default () => 1;", "main", /no export "main"/],
  ];
  for (const [code, handler, message] of cases) {
    const { ending } = await runGuest(code, { handler });
    assert.equal(ending.kind === "fail" && ending.type, "BundleError", code);
    assert.match(ending.kind === "fail" ? ending.message : "", message);
  }
  const named = await runGuest("export const main = () => 7;", { handler: "main" });
  assert.deepEqual(named.ending, reply(200, "7"));
});

const thrown = async (statement: string): Promise<Extract<Ending, { kind: "fail" }>> => {
  const { ending, endings } = await runGuest(`export default async function handle() { ${statement} }`, {
    memoryMb: 256,
  });
  assert.equal(endings, 1, statement);
  assert.equal(ending.kind, "fail", statement);
  return ending as Extract<Ending, { kind: "fail" }>;
};

test("thrown values end the activation with bounded text and the user's frames only", async () => {
  const plain = await thrown("throw new TypeError('broken');");
  assert.equal(plain.type, "Exception");
  assert.equal(plain.message, "TypeError: broken");
  assert.match(plain.stack, /^TypeError: broken\n {4}at handle \(.*function\/index\.js:1:\d+\)/);
  assert.doesNotMatch(plain.stack, /sous:/);
  assert.equal((await thrown("throw new Error('e');")).message, "e");
  assert.equal((await thrown("throw 'a string';")).message, "a string");
  assert.equal((await thrown("throw undefined;")).message, "thrown: undefined");
  assert.equal((await thrown("throw { odd: 1 };")).message, "thrown: { odd: 1 }");
  const long = await thrown("throw new Error('é'.repeat(1e6));");
  assert.ok(Buffer.byteLength(long.message) <= 65_536 && long.message.length > 30_000);
  assert.ok(Buffer.byteLength(long.stack) <= 8192);
  const deep = await thrown(
    "Error.stackTraceLimit = Infinity; const f = (n) => { if (n === 0) throw new Error('deep'); f(n - 1); }; f(3000);",
  );
  assert.ok(Buffer.byteLength(deep.stack) <= 8192);
});

const answer = () => ({ code: "CS_RUNTIME_CAPABILITY_DENIED", message: "kv is not allowed" });

test("an uncaught refusal is CapabilityDenied, a caught one is the handler's business", async () => {
  const uncaught = await runGuest("export default () => cs.kv.get('a');", { answer });
  assert.equal(uncaught.ending.kind === "fail" && uncaught.ending.type, "CapabilityDenied");
  assert.equal(uncaught.ending.kind === "fail" && uncaught.ending.message, "kv is not allowed");
  const code =
    "export default async () => { try { await cs.kv.get('a'); } catch (e) { return [e.code, e instanceof Error]; } };";
  const caught = await runGuest(code, { answer });
  assert.deepEqual(caught.ending, reply(200, '["CS_RUNTIME_CAPABILITY_DENIED",true]'));
});

test("a generator or a stream as a result is an exception that says what to do", async () => {
  for (const code of [
    "export default async function* () { yield 1; }",
    "export default function* () { yield 1; }",
    "export default () => new ReadableStream()",
  ]) {
    const { ending } = await runGuest(code);
    assert.ok(ending.kind === "fail" && ending.type === "Exception", JSON.stringify(ending));
    assert.match(ending.message, /generator or a stream.*collect it/);
  }
  const { ending } = await runGuest(
    "export default () => ({ toJSON: () => 7, async *[Symbol.asyncIterator]() {} })",
  );
  assert.equal(ending.kind === "reply" && ending.body, "7");
});

test("an uncaught error about a budget says which; one a function made up is only its own", async () => {
  const answer = () => ({ code: "CS_RUNTIME_BUDGET_EXCEEDED", message: "no bytes are left" });
  const { ending } = await runGuest('export default () => cs.http.fetch("https://a.example")', { answer });
  assert.deepEqual(ending.kind === "fail" && [ending.type, ending.budget, ending.message], [
    "BudgetExceeded",
    "egress_bytes",
    "no bytes are left",
  ]);
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { completeBudgets } from "@sous/contract";
import { describeSandboxContract, programOf, runOnce } from "../contract-suite.ts";
import { createIsolateDriver } from "./driver.ts";
import type { HostReport } from "./host-starter.ts";

describeSandboxContract("isolate", async () => await createIsolateDriver({ pairs: 2 }));

test(
  "a host runs unprivileged, with nothing of ours in its environment or files",
  { skip: process.platform !== "linux" },
  async () => {
    let report: HostReport | undefined;
    await using driver = await createIsolateDriver({ stems: 0, onReport: (given) => (report = given) });
    const sandbox = await driver.create({ tenant: "t_contract" });
    const pid = sandbox.pid ?? 0;
    assert.equal(report?.pid, pid);
    const off = report?.layers.filter((layer) => layer.level === "closed" && !layer.on);
    assert.deepEqual(off, []);
    if (process.getuid?.() !== 0) return;
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    assert.match(status, /^Uid:\t61\d\d\d\t61\d\d\d\t61\d\d\d/m);
    assert.match(status, /^Groups:\s*$/m);
    assert.match(status, /^CapEff:\t0+$/m);
    assert.match(status, /^NoNewPrivs:\t1$/m);
    // bubblewrap says where it starts a program, and nothing else.
    assert.match(readFileSync(`/proc/${pid}/environ`, "utf8"), /^(PWD=\/\0)?$/);
  },
);

test("a host that is closed less than required is refused, with what is missing and how to have it", async () => {
  const without = ["bubblewrap"] as const;
  await using driver = await createIsolateDriver({ stems: 0, without, requires: "strict" });
  await assert.rejects(driver.inspect(), (error: Error & { code?: string }) => {
    assert.equal(error.code, "CS_VALIDATION_FAILED");
    assert.match(error.message, /sandbox\.require is strict/);
    assert.match(error.message, /pid namespace \(install bubblewrap/);
    return true;
  });
});

test("what a way to start a host cannot do is known from the host, and the next way is taken", async () => {
  await using driver = await createIsolateDriver({ stems: 0, bubblewrap: "/bin/false" });
  const report = await driver.inspect();
  assert.notEqual(report.launcher, "bubblewrap");
  if (process.platform === "linux") assert.match(report.failures[0] ?? "", /^bubblewrap: /);
});

test("cookies of a result arrive as they are, and none as no field", async () => {
  await using driver = await createIsolateDriver({ stems: 0, pairs: 1 });
  const sandbox = await driver.create({ tenant: "t_contract" });
  const program = programOf('export default (cookies) => ({ statusCode: 201, body: "ü", cookies })');
  const answer = { statusCode: 201, headers: {}, body: "ü", isBase64Encoded: false };
  const most = Array.from({ length: 50 }, () => "\u0001".repeat(4096));
  for (const cookies of [["a=1; Path=/", 'b="ü"'], most]) {
    const { outcome } = await runOnce(sandbox, program, { event: cookies });
    assert.deepEqual(outcome.result, { ...answer, cookies });
  }
  assert.deepEqual((await runOnce(sandbox, program, { event: [] })).outcome.result, answer);
});

test("an isolate without room for another context goes alone, and not with its host", async () => {
  await using driver = await createIsolateDriver({ stems: 0, pairs: 1 });
  const sandbox = await driver.create({ tenant: "t_contract" });
  // What this makes is about as large as the heap may be: some calls end well and leave a full isolate.
  const code = 'export default () => JSON.parse("[".repeat(1e6) + "]".repeat(1e6)).length';
  const program = programOf(code, { memoryMb: 32, isolation: "context" });
  const ends = new Set<string>();
  for (let call = 0; call < 20; call++) {
    const { outcome } = await runOnce(sandbox, program);
    ends.add(outcome.error?.type ?? outcome.status);
  }
  assert.ok(!ends.has("SandboxCrashed"), [...ends].join(", "));
});

test("a stem that died is not handed out", async () => {
  await using driver = await createIsolateDriver({ stems: 1, pairs: 1 });
  const first = await driver.create({ tenant: "t_contract" });
  // The stem behind it is up by the time the first program ran.
  await runOnce(first, programOf("export default () => 1"));
  await setTimeout(500);
  first.kill("test");
  const second = await driver.create({ tenant: "t_contract" });
  assert.notEqual(second.pid, first.pid);
  assert.equal((await runOnce(second, programOf("export default () => 2"))).outcome.result?.body, "2");
});

test("timers and host calls of an ended activation do not come back", async () => {
  await using driver = await createIsolateDriver({ stems: 0, pairs: 1 });
  const sandbox = await driver.create({ tenant: "t_contract" });
  const program = programOf('export default async () => { cs.kv.get("a"); return "first"; }');
  const seen = await runOnce(sandbox, program, { answer: () => ({ ok: true, json: "1" }) });
  assert.equal(seen.outcome.result?.body, '"first"');
  assert.equal((await runOnce(sandbox, program)).outcome.cold, true);
});

test("a program that is evicted while it runs and sent again is warm after the end of the old one", async () => {
  await using driver = await createIsolateDriver({ stems: 0, pairs: 1 });
  const sandbox = await driver.create({ tenant: "t_contract" });
  const program = programOf("export default (ms) => new Promise((done) => setTimeout(() => done(ms), ms))");
  const old = runOnce(sandbox, program, { event: 500 });
  await runOnce(sandbox, program, { event: 1 });
  assert.deepEqual([...sandbox.runningPrograms()], [program.key]);
  sandbox.evict(program.key);
  assert.equal((await runOnce(sandbox, program, { event: 1 })).outcome.cold, true);
  assert.equal((await old).outcome.result?.body, "500");
  assert.equal(sandbox.runningPrograms().size, 0);
  assert.deepEqual([...sandbox.warmPrograms], [program.key]);
  sandbox.evict(program.key);
  await setTimeout(50);
  assert.deepEqual([...sandbox.warmPrograms], []);
});

test("calls of one program that came together are answered one after another where they take their time", async () => {
  await using driver = await createIsolateDriver({ stems: 0, pairs: 1 });
  const sandbox = await driver.create({ tenant: "t_contract" });
  const program = programOf(
    "export default (ms) => { const end = Date.now() + ms; while (Date.now() < end); }",
  );
  await runOnce(sandbox, program, { event: 1 });
  const answers = [100, 100, 100, 100].map(async (event) => {
    const { outcome } = await runOnce(sandbox, program, { event });
    assert.equal(outcome.status, "success");
    return performance.now();
  });
  const [first = 0, second = 0, third = 0, fourth = 0] = await Promise.all(answers);
  for (const gapMs of [second - first, third - second, fourth - third]) assert.ok(gapMs > 50, `${gapMs} ms`);
});

test("a program that was always short is stopped in time when it no longer is, and its host lives on", async () => {
  await using driver = await createIsolateDriver({ stems: 0, pairs: 1 });
  const sandbox = await driver.create({ tenant: "t_contract" });
  const program = programOf("export default ({ forever }) => { while (forever); return 1; }");
  const abnormal: string[] = [];
  sandbox.listen((event) => event.type === "abnormal" && abnormal.push(event.programKey));
  for (let call = 0; call < 30; call++) await runOnce(sandbox, program, { event: {}, timeoutMs: 1000 });
  const begun = performance.now();
  const { outcome } = await runOnce(sandbox, program, { event: { forever: true }, timeoutMs: 1000 });
  const tookMs = performance.now() - begun;
  assert.equal(outcome.status, "timeout");
  assert.ok(tookMs >= 999 && tookMs < 1250, `${tookMs} ms`);
  // The host stopped it, and told what it used: nobody had to guess from outside.
  assert.ok(outcome.timings.handlerMs > 900, `${outcome.timings.handlerMs} ms`);
  assert.deepEqual(abnormal, [program.key]);
  const { pid } = sandbox;
  assert.equal((await runOnce(sandbox, programOf("export default () => 2"))).outcome.result?.body, "2");
  assert.equal(sandbox.pid, pid);
});

test("what a slice calls or throws after its deadline comes too late, and its processor time is not the reason", async () => {
  await using driver = await createIsolateDriver({ stems: 0, pairs: 1 });
  const sandbox = await driver.create({ tenant: "t_contract" });
  const code = `export default (last, ctx) => {
    if (!last) return 1;
    while (Date.now() <= ctx.deadline_ms) ;
    cs.kv.get("late");
    if (last === "throws") throw new Error("late");
    for (;;);
  }`;
  for (const last of ["throws", "goes on"]) {
    const budgets = { ...completeBudgets(64), cpu_ms: 1001 };
    const program = programOf(code, { budgets });
    for (let call = 0; call < 25; call++) await runOnce(sandbox, program, { event: "", timeoutMs: 1000 });
    const { outcome, calls } = await runOnce(sandbox, program, { event: last, timeoutMs: 1000 });
    assert.equal(outcome.error?.type, "Timeout", last);
    assert.deepEqual(calls, [], last);
  }
});

test(
  "a slice is slow by the processor it had, not by how long it took",
  { skip: process.platform !== "linux" },
  async () => {
    await using driver = await createIsolateDriver({ stems: 0, pairs: 1 });
    const sandbox = await driver.create({ tenant: "t_contract" });
    const slow: string[] = [];
    sandbox.listen((event) => event.type === "slow" && slow.push(event.programKey));
    const spin = programOf("export default (count) => { let n = 0; while (n < count) n++; return n; }");
    await runOnce(sandbox, spin, { event: 1e6 });
    const begun = performance.now();
    await runOnce(sandbox, spin, { event: 1e8 });
    const perMs = 1e8 / (performance.now() - begun);
    slow.length = 0;

    // Fifteen milliseconds of work, in the middle of which the whole process gets no processor.
    const short = runOnce(sandbox, spin, { event: Math.round(15 * perMs) });
    await setTimeout(5);
    process.kill(sandbox.pid ?? 0, "SIGSTOP");
    await setTimeout(200);
    assert.equal(sandbox.stalled, false);
    process.kill(sandbox.pid ?? 0, "SIGCONT");
    assert.equal((await short).outcome.status, "success");
    assert.deepEqual(slow, []);

    // Stopped for good it is not waited for, although it uses nothing.
    const stopped = runOnce(sandbox, spin, { event: Math.round(1000 * perMs) });
    await setTimeout(5);
    process.kill(sandbox.pid ?? 0, "SIGSTOP");
    await setTimeout(800);
    assert.equal(sandbox.stalled, true);
    process.kill(sandbox.pid ?? 0, "SIGCONT");
    assert.equal((await stopped).outcome.status, "success");
    assert.deepEqual(slow, [spin.key]);

    await runOnce(sandbox, spin, { event: Math.round(400 * perMs) });
    assert.deepEqual(slow, [spin.key, spin.key]);
  },
);

test(
  "memory that V8 does not count is seen by the growth of the process within a slice",
  { skip: process.platform !== "linux" },
  async () => {
    await using driver = await createIsolateDriver({ stems: 0, pairs: 1, hostMemoryMb: 4096 });
    const sandbox = await driver.create({ tenant: "t_contract" });
    const code = `export default () => {
      const buffer = new ArrayBuffer(1, { maxByteLength: 4e8 });
      buffer.resize(4e8);
      const bytes = new Uint8Array(buffer);
      const until = Date.now() + 200;
      while (Date.now() < until);
      for (let at = 0; at < 4e8; at += 4096) bytes[at] = 1;
      for (;;);
    };`;
    const { outcome } = await runOnce(sandbox, programOf(code), { timeoutMs: 20_000 });
    assert.equal(outcome.error?.type, "MemoryLimit");
    assert.match(outcome.error.message, /grew by \d+ MiB of at most 192 in one slice/);
  },
);

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { completeBudgets } from "@sous/contract";
import { programOf as anyProgramOf, runOnce, type RunOptions } from "../contract-suite.ts";
import type { Sandbox, SandboxOutcome, SandboxProgram } from "../sandbox.ts";
import { createIsolateDriver, type IsolateDriver } from "./driver.ts";

const MB = 1e6;
let ids = 0;
const WAITS = 'export default async () => { await cs.kv.get("k"); return "went on"; }';

const programOf = (code: string, overrides: Partial<SandboxProgram> = {}): SandboxProgram =>
  anyProgramOf(code, { isolation: "shared", ...overrides });

/** A program that keeps so many megabytes for good, which whoever asks for the memory of its isolate sees. */
const holder = (megabytes: number): SandboxProgram =>
  programOf(
    `export default () => { globalThis.kept ??= Array.from({ length: ${megabytes} }, () => new Array(125_000).fill(1)); return kept.length; }`,
  );

describe("programs that share an isolate", () => {
  let driver: IsolateDriver;
  let sandbox: Sandbox;

  before(async () => (driver = await createIsolateDriver({ stems: 0, pairs: 1 })));
  after(() => driver[Symbol.asyncDispose]());

  const fresh = async (): Promise<void> => {
    sandbox = await driver.create({ tenant: "t_contract" });
  };
  const run = async (program: SandboxProgram, options?: RunOptions): Promise<SandboxOutcome> =>
    (await runOnce(sandbox, program, options)).outcome;
  /** Starts a call that waits for a host call. @returns what it waits for, and its end */
  const suspended = async (program = programOf(WAITS), seen: string[] = []) => {
    const called = Promise.withResolvers<() => void>();
    const end = Promise.withResolvers<SandboxOutcome>();
    const activationId = `waits-${++ids}`;
    const deadlineMs = Date.now() + 5000;
    sandbox.start(
      {
        activationId,
        program,
        contextJson: JSON.stringify({ activation_id: activationId, deadline_ms: deadlineMs }),
        sharedContextJson: "{}",
        eventJson: "null",
        deadlineMs,
      },
      {
        onHostCall({ operation }, reply) {
          seen.push(operation);
          called.resolve(() => reply({ ok: true, json: "1" }));
        },
        onLog: (_level, text) => void seen.push(text),
        onOutcome: end.resolve,
      },
    );
    return { program, goOn: await called.promise, end: end.promise };
  };

  test("have globals of their own, keep them, and hold the memory together", async () => {
    await fresh();
    const large = holder(10);
    assert.equal((await run(large)).result?.body, "10");
    const small = programOf("export default () => typeof kept + (globalThis.n = (globalThis.n ?? 0) + 1)");
    const first = await run(small);
    assert.equal(first.result?.body, '"undefined1"');
    assert.ok(first.memoryPeakBytes > 10 * MB, `${first.memoryPeakBytes} bytes`);
    const second = await run(small);
    assert.deepEqual([second.result?.body, second.cold], ['"undefined2"', false]);
    assert.equal((await run(large)).cold, false);
  });

  test("are not with those that want an isolate of their own", async () => {
    await fresh();
    await run(holder(10));
    const { memoryPeakBytes } = await run(anyProgramOf("export default () => 1"));
    assert.ok(memoryPeakBytes < 10 * MB, `${memoryPeakBytes} bytes`);
  });

  test("find no room in an isolate of which a quarter is held, made ahead or not", async () => {
    await fresh();
    const grows = programOf(
      "export default (megabytes) => { globalThis.kept = Array.from({ length: megabytes }, () => new Array(125_000).fill(1)); return 1; }",
    );
    await run(grows, { event: 0 });
    // Meanwhile a place is made ahead beside it.
    await setTimeout(100);
    await run(grows, { event: 20 });
    for (let n = 0; n < 2; n++) {
      const { memoryPeakBytes } = await run(programOf(`export default () => ${n}`));
      assert.ok(memoryPeakBytes < 10 * MB, `${memoryPeakBytes} bytes`);
    }
  });

  test("end with the isolate where one does not stop; who waits in it goes on, and then it is gone", async () => {
    await fresh();
    const neighbour = programOf("export default () => 1");
    await run(neighbour);
    const waiting = await suspended();
    const loops = programOf("export default (loop) => { while (loop); return 1; }");
    assert.equal((await run(loops, { event: true, timeoutMs: 200 })).status, "timeout");
    assert.deepEqual([...sandbox.warmPrograms], [waiting.program.key]);
    waiting.goOn();
    assert.equal((await waiting.end).result?.body, '"went on"');
    assert.deepEqual([...sandbox.warmPrograms], []);
    const again = await run(neighbour);
    assert.deepEqual([again.status, again.cold], ["success", true]);
  });

  test("share nothing any more with one that did not stop", async () => {
    await fresh();
    const loops = programOf("export default (loop) => { while (loop); return 1; }");
    await run(loops, { event: true, timeoutMs: 200 });
    const neighbour = programOf("export default () => 1");
    await run(neighbour);
    await run(loops, { event: true, timeoutMs: 200 });
    assert.equal((await run(neighbour)).cold, false);
    sandbox.evict(loops.key);
    await run(loops, { event: true, timeoutMs: 200 });
    assert.equal((await run(neighbour)).cold, false);
  });

  test("hear of it when another one takes all the memory they have together", async () => {
    await fresh();
    const memoryMb = 32;
    const waiting = await suspended(programOf(WAITS, { memoryMb }));
    const code = "export default () => { const all = []; for (;;) all.push({ a: 1, b: [2] }); }";
    const eats = programOf(code, { memoryMb });
    assert.equal((await run(eats, { timeoutMs: 20_000 })).error?.type, "MemoryLimit");
    const { error } = await waiting.end;
    assert.equal(error?.type, "SandboxCrashed");
    assert.match(error?.message ?? "", /another function ended the isolate/);
    assert.equal(sandbox.active, 0);
    const again = await suspended(waiting.program);
    again.goOn();
    assert.equal((await again.end).status, "success");
  });

  test("stay warm while one leaves timers behind at each call, or throws, or is put out", async () => {
    await fresh();
    const neighbour = programOf("export default () => 1");
    await run(neighbour);
    const leaves = programOf(
      "export default () => { setTimeout(() => {}, 1e6); return globalThis.n = (globalThis.n ?? 0) + 1; }",
    );
    for (let call = 0; call < 3; call++) assert.equal((await run(leaves)).result?.body, "1");
    const throws = programOf('export default () => { throw new Error("no"); }');
    assert.equal((await run(throws)).error?.type, "Exception");
    sandbox.evict(throws.key);
    assert.equal((await run(neighbour)).cold, false);
  });

  test("run no more activations at once than they may after one filled its isolate", async () => {
    await fresh();
    const code =
      'export default async (fill) => { if (fill) globalThis.kept = Array.from({ length: 40 }, () => new Array(125_000).fill(1)); else await cs.kv.get("k"); return 1; }';
    const program = programOf(code, { maxConcurrency: 1 });
    assert.equal((await run(program, { event: true })).status, "success");
    const first = await suspended(program);
    const second = run(program, { event: true });
    await setTimeout(50);
    assert.equal(sandbox.waiting, 1);
    first.goOn();
    await Promise.all([first.end, second]);
  });

  test("have no power in the activations of others, whatever they left behind", async () => {
    await fresh();
    const seen: string[] = [];
    const waiting = await suspended(programOf(WAITS), seen);
    const leaves = programOf(`
      const leave = () => { cs.kv.get("left").catch(() => {}); console.log("left"); setTimeout(leave, 1); };
      export default (loop) => {
        leave();
        const after = async () => { for (let i = 0; i < 10; i++) { await null; leave(); } };
        after();
        while (loop);
        return 1;
      };
    `);
    assert.equal((await run(leaves)).status, "success");
    assert.equal((await run(leaves, { event: true, timeoutMs: 300 })).status, "timeout");
    await setTimeout(50);
    waiting.goOn();
    assert.equal((await waiting.end).result?.body, '"went on"');
    assert.deepEqual(seen, ["kv.get"]);
  });

  test("stay where they are while one is broken, late, or uses up what it may call", async () => {
    await fresh();
    const neighbour = programOf("export default () => 1");
    await run(neighbour);
    const waiting = await suspended();
    const late = programOf("export default () => 1");
    assert.equal((await run(programOf("export default ("))).error?.type, "BundleError");
    assert.equal((await run(programOf("export const other = 1"))).error?.type, "BundleError");
    assert.equal((await run(late, { timeoutMs: -5 })).status, "timeout");
    const timers = programOf(
      "export default async () => { for (;;) await new Promise((done) => setTimeout(done, 2)); }",
    );
    assert.equal((await run(timers, { timeoutMs: 100 })).status, "timeout");
    const budgets = { ...completeBudgets(64), host_calls: 5 };
    const calls = programOf('export default async () => { for (;;) await cs.kv.get("k"); }', { budgets });
    assert.equal(
      (await run(calls, { answer: () => ({ ok: true, json: "1" }) })).error?.type,
      "BudgetExceeded",
    );
    assert.equal((await run(neighbour)).cold, false);
    waiting.goOn();
    assert.equal((await waiting.end).result?.body, '"went on"');
  });

  test("are bounded as alone in what one activation adds outside the heap, slice by slice", async () => {
    await fresh();
    const budgets = { ...completeBudgets(64), external_memory_mb: 8 };
    const code = `export default async () => {
      const all = [];
      for (;;) {
        all.push(new Uint8Array(1e6).fill(1));
        const end = Date.now() + 6;
        while (Date.now() < end);
        await new Promise((done) => setTimeout(done, 1));
      }
    }`;
    const { error } = await run(programOf(code, { budgets }));
    assert.deepEqual([error?.type, error?.details?.["budget"]], ["MemoryLimit", "external_memory_mb"]);
  });

  test("are stopped at once past their host calls where nobody waits beside them", async () => {
    await fresh();
    const budgets = { ...completeBudgets(64), host_calls: 5 };
    const code =
      'export default () => { for (let i = 0; i < 6; i++) cs.kv.get("k").catch(() => {}); for (;;); }';
    const begun = performance.now();
    const { error } = await run(programOf(code, { budgets }), { timeoutMs: 5000 });
    assert.equal(error?.type, "BudgetExceeded");
    assert.ok(performance.now() - begun < 3000);
  });

  test("are not blamed for what others hold", async () => {
    await fresh();
    const budgets = { ...completeBudgets(64), external_memory_mb: 8 };
    const holds = programOf("export default () => (globalThis.kept = new Uint8Array(6e6).fill(1)).length", {
      budgets,
    });
    assert.equal((await run(holds)).status, "success");
    const code =
      "export default () => { globalThis.own = new Uint8Array(4e6).fill(1); const end = Date.now() + 10; while (Date.now() < end); return 1; }";
    const runs = programOf(code, { budgets });
    const { status, externalMemoryBytes } = await run(runs);
    assert.equal(status, "success");
    assert.ok(externalMemoryBytes > 9 * MB, "it was in the same isolate");
    for (const program of [holds, runs]) assert.equal((await run(program)).cold, false);
  });

  test("give one that fills their isolate an isolate of its own", async () => {
    await fresh();
    const neighbour = programOf("export default () => 1");
    await run(neighbour);
    const large = holder(40);
    assert.equal((await run(large)).status, "success");
    assert.equal((await run(neighbour)).cold, true);
    assert.deepEqual([...sandbox.warmPrograms], [neighbour.key]);
    for (const cold of [true, false]) assert.equal((await run(large)).cold, cold);
    assert.equal((await run(neighbour)).cold, false);
    assert.deepEqual([...sandbox.warmPrograms].toSorted(), [neighbour.key, large.key].toSorted());
  });

  test("are thirty-two in an isolate at most, and all of them run", async () => {
    await fresh();
    const programs = Array.from({ length: 70 }, (_, n) =>
      programOf(`export default () => (globalThis.n = ${n})`),
    );
    for (const round of [true, false]) {
      for (const [n, program] of programs.entries()) {
        const { result, cold } = await run(program);
        assert.deepEqual([result?.body, cold], [String(n), round]);
      }
    }
    assert.equal(sandbox.warmPrograms.size, 70);
  });
});

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { type Budgets, completeBudgets } from "@sous/contract";
import type {
  HostAnswer,
  HostCall,
  Sandbox,
  SandboxDriver,
  SandboxOutcome,
  SandboxProgram,
} from "./sandbox.ts";

/** One run as a client saw it. */
interface Seen {
  outcome: SandboxOutcome;
  outcomes: number;
  logs: string[];
  calls: HostCall[];
}

export interface RunOptions {
  event?: unknown;
  timeoutMs?: number;
  sharedContext?: object;
  answer?: (call: HostCall) => HostAnswer;
}

const NOTHING = {
  kv: { prefixes: [], ops: [] },
  codeq: { publish_topics: [] },
  http: { allow_hosts: [], timeout_ms: 1 },
};
/** How each budget whose end is an activation's is used up: with `true` as event. */
const BUDGET_BREAKERS: readonly [keyof Budgets, number, string, string][] = [
  ["cpu_ms", 150, "a loop", "export default (bad) => { while (bad); }"],
  [
    "cpu_ms",
    200,
    "a long built-in",
    "export default (bad) => bad && [].indexOf.call({ length: 2 ** 53 - 1 }, 1)",
  ],
  [
    "cpu_ms",
    100,
    "many short slices",
    "export default async (bad) => { while (bad) { const until = Date.now() + 4; while (Date.now() < until); await new Promise((done) => setTimeout(done, 1)); } }",
  ],
  [
    "host_calls",
    5,
    "calling on",
    'export default async (bad) => { while (bad) await cs.kv.get("k").catch(() => 0); }',
  ],
  [
    "host_calls",
    5,
    "calling without waiting, then looping",
    'export default (bad) => { if (bad) { for (let i = 0; i < 6; i++) cs.kv.get("k").catch(() => 0); for (;;); } }',
  ],
  ["result_bytes", 10, "a long result", 'export default (bad) => bad ? "ü".repeat(6) : 1'],
  [
    "timers",
    3,
    "one timer more",
    "export default (bad) => { for (let i = 0; bad && i < 4; i++) setTimeout(() => {}, 1e6); }",
  ],
  [
    "external_memory_mb",
    8,
    "holding buffers",
    "export default async (bad) => { if (!bad) return; const all = []; for (;;) { all.push(new Uint8Array(3e6).fill(1)); await new Promise((done) => setTimeout(done, 1)); } }",
  ],
];
let ids = 0;

/** @returns a program of one file, or of several */
export function programOf(
  code: string | Record<string, string>,
  overrides: Partial<SandboxProgram> = {},
): SandboxProgram {
  const files = new Map(Object.entries(typeof code === "string" ? { "function.js": code } : code));
  return {
    key: `t_contract/default/f${++ids}@1`,
    sha256: "",
    files,
    entry: "function.js",
    handler: "default",
    isolation: "warm",
    memoryMb: 64,
    maxConcurrency: 4,
    capabilities: NOTHING,
    budgets: completeBudgets(64),
    ...overrides,
  };
}

/** Runs a program once and waits for its outcome. */
export function runOnce(sandbox: Sandbox, program: SandboxProgram, options: RunOptions = {}): Promise<Seen> {
  const { event = null, timeoutMs = 5000, answer, sharedContext = {} } = options;
  const seen: Seen = { outcome: undefined as never, outcomes: 0, logs: [], calls: [] };
  return new Promise((resolve) => {
    const activationId = `a${++ids}`;
    const deadlineMs = Date.now() + timeoutMs;
    const contextJson = JSON.stringify({ activation_id: activationId, deadline_ms: deadlineMs });
    sandbox.start(
      {
        activationId,
        program,
        contextJson,
        sharedContextJson: JSON.stringify(sharedContext),
        eventJson: JSON.stringify(event),
        deadlineMs,
      },
      {
        onHostCall(call, reply) {
          seen.calls.push(call);
          reply(answer?.(call) ?? { ok: false, code: "CS_RUNTIME_CAPABILITY_DENIED", message: "denied" });
        },
        onLog: (level, text) => void seen.logs.push(`${level} ${text}`),
        onOutcome(outcome) {
          seen.outcomes++;
          seen.outcome = outcome;
          // Settles a moment later, so that a second outcome would be seen.
          setTimeout(() => resolve(seen), 20);
        },
      },
    );
  });
}

const bodyOf = (seen: Seen): unknown => JSON.parse(seen.outcome.result?.body ?? "null");

/** What every driver of the sandbox port must do, on its own real mechanism. */
export function describeSandboxContract(name: string, open: () => Promise<SandboxDriver>): void {
  describe(`sandbox contract: ${name}`, () => {
    let driver: SandboxDriver | undefined;
    const create = async (): Promise<Sandbox> => {
      driver ??= await open();
      return await driver.create({ tenant: "t_contract" });
    };
    after(async () => await driver?.[Symbol.asyncDispose]());

    test("runs a handler and gives its answer back once", async () => {
      const sandbox = await create();
      const program = programOf(
        "export default async (event, ctx) => ({ got: event, id: ctx.activation_id })",
      );
      const seen = await runOnce(sandbox, program, { event: { a: [1, "ü"] } });
      assert.equal(seen.outcome.status, "success");
      assert.equal(seen.outcomes, 1);
      assert.deepEqual((bodyOf(seen) as { got: unknown }).got, { a: [1, "ü"] });
      assert.equal(seen.outcome.cold, true);
      assert.equal((await runOnce(sandbox, program)).outcome.cold, false);
      await sandbox[Symbol.asyncDispose]();
    });

    test("each activation has its own context, and leaves no trace in what it shares with others", async () => {
      const sandbox = await create();
      const program = programOf(`export default (event, ctx) => {
        ctx.env.SEEN = (ctx.env.SEEN ?? "") + event;
        let roles = "";
        try { ctx.principal.roles.push("admin"); roles = "changed"; } catch { roles = ctx.principal.roles.join(); }
        return [ctx.env.A, ctx.env.SEEN, ctx.principal.sub, roles, Object.keys(ctx).join()];
      }`);
      const of = (sub: string) => ({ principal: { sub, roles: ["reader"] }, env: { A: sub.toUpperCase() } });
      const keys = "activation_id,deadline_ms,principal,env,remainingMs";
      for (const [at, sub] of ["ann", "ann", "bob", "ann"].entries()) {
        const seen = await runOnce(sandbox, program, { event: String(at), sharedContext: of(sub) });
        assert.deepEqual(bodyOf(seen), [sub.toUpperCase(), String(at), sub, "reader", keys]);
      }
    });

    test("imports files of the bundle and nothing else", async () => {
      const sandbox = await create();
      const files = {
        "function.js": 'import { x } from "./lib/a.js"; export default () => x;',
        "lib/a.js": 'export { x } from "../b.js";',
        "b.js": "export const x = 7;",
      };
      assert.equal(bodyOf(await runOnce(sandbox, programOf(files))), 7);
      for (const specifier of ["node:fs", "fs", "/etc/passwd", "../../etc/passwd", "./missing.js"]) {
        const seen = await runOnce(
          sandbox,
          programOf(`import x from ${JSON.stringify(specifier)}; export default () => x;`),
        );
        assert.equal(seen.outcome.error?.type, "BundleError", specifier);
      }
      await sandbox[Symbol.asyncDispose]();
    });

    test("answers host calls and passes logs on in order", async () => {
      const sandbox = await create();
      const program = programOf(
        'export default async () => { cs.log.info("one"); console.warn("two"); return await cs.kv.get("k"); }',
      );
      const seen = await runOnce(sandbox, program, {
        answer: (call) => ({ ok: true, json: JSON.stringify({ op: call.operation }) }),
      });
      assert.deepEqual(bodyOf(seen), { op: "kv.get" });
      assert.deepEqual(
        seen.calls.map((call) => [call.operation, JSON.parse(call.argumentsJson)]),
        [["kv.get", ["k"]]],
      );
      assert.deepEqual(
        seen.logs.map((line) => line.split(" ")[0]),
        ["info", "warn"],
      );
      await sandbox[Symbol.asyncDispose]();
    });

    test("a denied call can be caught, and ends the activation where it is not", async () => {
      const sandbox = await create();
      const caught = await runOnce(
        sandbox,
        programOf('export default () => cs.kv.get("k").catch((e) => e.code)'),
      );
      assert.equal(bodyOf(caught), "CS_RUNTIME_CAPABILITY_DENIED");
      const uncaught = await runOnce(sandbox, programOf('export default () => cs.kv.get("k")'));
      assert.equal(uncaught.outcome.error?.type, "CapabilityDenied");
      await sandbox[Symbol.asyncDispose]();
    });

    test("errors of the handler are values with a bounded message and stack", async () => {
      const sandbox = await create();
      const seen = await runOnce(sandbox, programOf('export default () => { throw new TypeError("no") }'));
      assert.equal(seen.outcome.status, "error");
      assert.equal(seen.outcome.error?.type, "Exception");
      assert.match(seen.outcome.error?.message ?? "", /no/);
      assert.match(seen.outcome.error?.stack ?? "", /function\.js:1/);
      await sandbox[Symbol.asyncDispose]();
    });

    for (const [what, code] of [
      ["a loop", "export default () => { for (;;); }"],
      ["a promise that never settles", "export default () => new Promise(() => {})"],
      ["a long built-in", "export default () => [].indexOf.call({ length: 2 ** 53 - 1 }, 1)"],
    ] as const) {
      test(`${what} ends in a timeout at its deadline, once`, async () => {
        const sandbox = await create();
        const seen = await runOnce(sandbox, programOf(code), { timeoutMs: 300 });
        assert.equal(seen.outcome.status, "timeout");
        assert.equal(seen.outcome.error?.type, "Timeout");
        assert.equal(seen.outcomes, 1);
        await sandbox[Symbol.asyncDispose]();
      });
    }

    test("memory without end ends in MemoryLimit", async () => {
      const sandbox = await create();
      const code = "export default () => { const all = []; for (;;) all.push(new Array(1000).fill(1.5)); }";
      const seen = await runOnce(sandbox, programOf(code, { memoryMb: 32 }), { timeoutMs: 20_000 });
      assert.equal(seen.outcome.error?.type, "MemoryLimit");
      await sandbox[Symbol.asyncDispose]();
    });

    test("globals outlive an activation only where the isolation says so", async () => {
      const code = "export default () => { globalThis.n = (globalThis.n ?? 0) + 1; return globalThis.n; }";
      for (const [isolation, second] of [
        ["warm", 2],
        ["context", 1],
        ["fresh", 1],
        ["shared", 2],
      ] as const) {
        const sandbox = await create();
        const program = programOf(code, { isolation });
        assert.equal(bodyOf(await runOnce(sandbox, program)), 1, isolation);
        assert.equal(bodyOf(await runOnce(sandbox, program)), second, isolation);
        await sandbox[Symbol.asyncDispose]();
      }
    });

    test("nothing of an abnormal end is seen by the next activation", async () => {
      const sandbox = await create();
      const code =
        "export default (bad) => { const seen = globalThis.mark; globalThis.mark = 1; if (bad) for (;;); return seen ?? 0; }";
      const program = programOf(code);
      assert.equal(
        (await runOnce(sandbox, program, { event: true, timeoutMs: 200 })).outcome.status,
        "timeout",
      );
      const next = sandbox.active === 0 ? await runOnce(sandbox, program, { event: false }) : undefined;
      if (next?.outcome.status === "success") assert.equal(bodyOf(next), 0);
      await sandbox[Symbol.asyncDispose]();
    });

    test("what is left over after an answer does not reach the next activation", async () => {
      const sandbox = await create();
      const code = "let n = 0; export default () => { setTimeout(() => { n = 99; }, 5); return n++; }";
      const program = programOf(code);
      assert.equal(bodyOf(await runOnce(sandbox, program)), 0);
      await new Promise((resolve) => setTimeout(resolve, 30));
      assert.equal(bodyOf(await runOnce(sandbox, program)), 0);
      await sandbox[Symbol.asyncDispose]();
    });

    test("no more than maxConcurrency run at once, and all of them run", async () => {
      const sandbox = await create();
      let open = 0;
      let most = 0;
      const program = programOf(
        'export default async () => { await cs.kv.get("in"); await new Promise((r) => setTimeout(r, 5)); await cs.kv.get("out"); return 1; }',
        { maxConcurrency: 3 },
      );
      const answer = (call: HostCall): HostAnswer => {
        open += call.argumentsJson.includes("in") ? 1 : -1;
        most = Math.max(most, open);
        return { ok: true, json: "null" };
      };
      const all = await Promise.all(Array.from({ length: 12 }, () => runOnce(sandbox, program, { answer })));
      assert.ok(all.every((seen) => seen.outcome.status === "success"));
      assert.ok(most >= 2 && most <= 3, `at most ${most} at once`);
      await sandbox[Symbol.asyncDispose]();
    });

    test("a neighbour in the same sandbox is not blamed for a kill", async () => {
      const sandbox = await create();
      const abnormal: string[] = [];
      sandbox.listen((event) => void (event.type === "abnormal" && abnormal.push(event.programKey)));
      const bad = programOf("export default () => [].indexOf.call({ length: 2 ** 53 - 1 }, 1)");
      const waits = programOf(
        "export default async () => { await new Promise((r) => setTimeout(r, 10000)); }",
      );
      const [neighbour, guilty] = await Promise.all([
        runOnce(sandbox, waits, { timeoutMs: 8000 }),
        new Promise((resolve) => setTimeout(resolve, 100)).then(() =>
          runOnce(sandbox, bad, { timeoutMs: 300 }),
        ),
      ]);
      assert.equal(guilty.outcome.error?.type, "Timeout");
      assert.equal(neighbour.outcome.error?.type, "SandboxCrashed");
      assert.deepEqual(abnormal, [bad.key]);
      await sandbox[Symbol.asyncDispose]();
    });

    for (const [budget, limit, what, code] of BUDGET_BREAKERS) {
      test(`past its ${budget} ${what} ends with the budget's name, and a clean activation follows`, async () => {
        const sandbox = await create();
        const budgets = { ...completeBudgets(64), [budget]: limit };
        const program = programOf(code, { budgets });
        const begun = Date.now();
        const { outcome, outcomes } = await runOnce(sandbox, program, { event: true, timeoutMs: 8000 });
        const type = { result_bytes: "ResultTooLarge", external_memory_mb: "MemoryLimit" }[budget as string];
        assert.equal(outcome.error?.type, type ?? "BudgetExceeded", outcome.error?.message ?? "");
        assert.equal(outcome.status, "error");
        assert.deepEqual(outcome.error?.details, { budget, limit });
        assert.equal(outcomes, 1);
        assert.ok(Date.now() - begun < 6000, "it ended long before its deadline");
        await sandbox[Symbol.asyncDispose]();
        const other = await create();
        assert.equal((await runOnce(other, program, { event: false })).outcome.status, "success");
        await other[Symbol.asyncDispose]();
      });
    }

    test("what an activation used of its budgets is in its outcome", async () => {
      const sandbox = await create();
      const code =
        "export default async () => { for (let i = 0; i < 3; i++) setTimeout(() => {}, 5); const until = Date.now() + 40; while (Date.now() < until); globalThis.kept = new Uint8Array(5e6).fill(1); await new Promise((done) => setTimeout(done, 20)); return 1; }";
      const { outcome } = await runOnce(sandbox, programOf(code));
      assert.equal(outcome.timersPeak, 4);
      assert.ok(outcome.cpuMs >= 35 && outcome.cpuMs < 5000, String(outcome.cpuMs));
      assert.ok(outcome.externalMemoryBytes >= 5e6, String(outcome.externalMemoryBytes));
      await sandbox[Symbol.asyncDispose]();
    });

    test("a log is sent up to its budget and a line beyond, by which it is known to be cut", async () => {
      const sandbox = await create();
      const budgets = { ...completeBudgets(64), log_bytes: 100 };
      const code = 'export default () => { for (let i = 0; i < 50; i++) console.log("x".repeat(20)); }';
      const { logs } = await runOnce(sandbox, programOf(code, { budgets }));
      assert.ok(logs.length >= 5 && logs.length <= 7, String(logs.length));
      await sandbox[Symbol.asyncDispose]();
    });

    test("cancel ends an activation as cancelled", async () => {
      const sandbox = await create();
      const program = programOf("export default () => new Promise(() => {})");
      const running = runOnce(sandbox, program);
      sandbox.cancel(`a${ids}`);
      assert.equal((await running).outcome.status, "cancelled");
      await sandbox[Symbol.asyncDispose]();
    });

    test("a killed sandbox gives every activation its outcome, then exits", async () => {
      const sandbox = await create();
      const events: string[] = [];
      sandbox.listen((event) => void events.push(event.type));
      const waiting = Array.from({ length: 3 }, () =>
        runOnce(sandbox, programOf("export default () => new Promise(() => {})")),
      );
      await new Promise((resolve) => setTimeout(resolve, 50));
      await sandbox[Symbol.asyncDispose]();
      for (const seen of await Promise.all(waiting)) {
        assert.equal(seen.outcome.error?.type, "SandboxCrashed");
        assert.equal(seen.outcomes, 1);
      }
      assert.equal(events[0], "created");
      assert.equal(events.at(-1), "exited");
      assert.equal(events.filter((type) => type === "exited").length, 1);
    });

    test("work handed to a dead sandbox comes back as not begun", async () => {
      const sandbox = await create();
      await sandbox[Symbol.asyncDispose]();
      const seen = await runOnce(sandbox, programOf("export default () => 1"));
      assert.equal(seen.outcome.error?.type, "SandboxCrashed");
      assert.equal(seen.outcome.started, false);
    });
  });
}

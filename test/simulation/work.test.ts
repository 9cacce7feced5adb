import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as settle } from "node:timers/promises";
import type { SandboxOutcome } from "@sous/sandbox";
import { LIMITS, type ScheduleRecord, type VersionRecord } from "@sous/contract";
import type { Store } from "@sous/store";
import { LiveRegistry } from "../../packages/platform/src/activations/live-registry.ts";
import type { Fleet } from "../../packages/platform/src/fleet/fleet.ts";
import { createInvoker } from "../../packages/platform/src/invoker/create-invoker.ts";
import type { InvokerOptions } from "../../packages/platform/src/invoker/invoker.ts";
import { unrun } from "../../packages/platform/src/invoker/unrun.ts";
import { createScheduler } from "../../packages/platform/src/scheduler/create-scheduler.ts";
import { createStoreLeadership } from "../../packages/platform/src/scheduler/store-leadership.ts";
import { createRunSubmitter } from "../../packages/platform/src/schedules/submit-run.ts";
import { createTiming, type Timing } from "../../packages/platform/src/schedules/timing.ts";
import { seeded } from "../support/scratch.ts";
import { MemoryLeases, MemorySchedules } from "./schedule-world.ts";
import { VirtualProcess } from "./virtual-process.ts";
import { createWorkWorld, queueOf, type WorkWorld } from "./work-world.ts";

/** Rounds with every test run; each is a world of its own. */
const ROUNDS = Number(process.env["SOUS_TEST_SIMULATION_ROUNDS"] ?? 200);
const FIRST_SEED = Number(process.env["SOUS_TEST_SIMULATION_SEED"] ?? 1);
const ROUNDS_A_TEST = 25;
const SECOND = 1000;
const LEASE_MS = 2000;
const ATTEMPTS_MAX = 30;
const STRIKES = 6;
/** In which everything that was broken is mended and comes to its end. */
const CALM_MS = 120 * SECOND;
const START_MS = Date.parse("2027-01-10T10:00:00Z");
const POLICIES = ["skip", "queue", "parallel"] as const;

interface World extends WorkWorld {
  schedules: MemorySchedules;
  leases: MemoryLeases;
  timing: Timing;
  strikes: Record<"kill" | "pause" | "leader" | "clock", number>;
}

const VERSION = {
  version: 1,
  sha256: "0".repeat(64),
  entry: "function.js",
  handler: "default",
  runtime: "cs-js",
  config: {
    authz: { invoke_schedule_roles: ["role:worker"] },
    retry: { max_attempts: ATTEMPTS_MAX, backoff_ms: 100, backoff_max_ms: 500, max_age_ms: 86_400_000 },
    timeout_ms: 60_000,
    max_concurrency: 8,
    memory_mb: 64,
    isolation: "warm",
    capabilities: {},
    budgets: {},
    secrets: [],
    env: {},
  },
} as unknown as VersionRecord;
const CATALOG = { resolve: () => VERSION, invalidate: () => {} };

const nothing = (): void => {};

class SchedulerProcess extends VirtualProcess {
  readonly leads: () => boolean;

  constructor(world: World) {
    super(world);
    const { clock, setTimer } = this;
    const { time, random, timing, records, schedules, leases } = world;
    const options = { clock, monotonic: time.monotonic, setTimer, onFault: nothing };
    const holder = String(random());
    const leadership = createStoreLeadership({ ...options, leases: this.through(leases), holder });
    this.leads = () => leadership.term() !== undefined;
    const activations = this.through(records);
    const submitter = createRunSubmitter({
      codeq: queueOf(this, world),
      activations,
      catalog: CATALOG,
      limits: LIMITS,
      tier: "isolate",
      clock,
    });
    createScheduler({
      ...options,
      schedules: this.through(schedules),
      activations,
      submitter,
      leadership,
      timing,
      meter: {
        published: nothing,
        refused: () => assert.fail("every tick may run"),
        leftOut: nothing,
        publishFailed: nothing,
        stateLost: nothing,
      },
    });
  }
}

/** The real invoker before sandboxes of chance. */
class InvokerProcess extends VirtualProcess {
  static async start(world: World): Promise<InvokerProcess> {
    const process = new InvokerProcess(world);
    const logs = { append: () => Promise.resolve(), read: () => Promise.resolve([]) };
    const store = { activations: process.through(world.records), logs } as unknown as Store;
    const tell = process.through({
      async end(record: Parameters<InvokerOptions["destinations"]["send"]>[1]) {
        const { activation_id: id } = record;
        world.told.set(id, [...(world.told.get(id) ?? []), record]);
      },
    });
    const options: Partial<InvokerOptions> = {
      codeq: queueOf(process, world),
      store,
      catalog: CATALOG,
      bundles: {
        get: () => ({ ok: true, files: new Map() }),
      } as unknown as InvokerOptions["bundles"],
      fleet: fleetOf(process, world),
      live: new LiveRegistry(),
      destinations: {
        async send(_invocation, record, finish) {
          await tell.end(record);
          await finish();
        },
        [Symbol.dispose]: nothing,
      },
      meter: {
        started: nothing,
        ended: nothing,
        retried: nothing,
        writeRefused: nothing,
        recordLost: nothing,
      },
      limits: { ...LIMITS, invocationLeaseMs: LEASE_MS },
      now: process.clock,
      setTimer: process.setTimer,
      random: world.random,
    };
    await createInvoker(options as InvokerOptions);
    return process;
  }
}

/** What a handler does is the same in each attempt: a few fail for ever, some at first. */
function outcomeOf(id: string, attempt: number): SandboxOutcome {
  const chance = Number.parseInt(id.slice(-4), 16) / 0x1_0000;
  const fails = chance < 0.03 || (chance < 0.15 && attempt === 1);
  if (fails) return { ...unrun({ type: "Exception", message: "not this time" }), started: true };
  const result = { statusCode: 200, headers: {}, body: JSON.stringify(id), isBase64Encoded: false };
  return {
    ...unrun({ type: "Exception", message: "" }),
    status: "success",
    error: undefined,
    result,
    started: true,
  } as unknown as SandboxOutcome;
}

const isPoisoned = (id: string): boolean => outcomeOf(id, 2).status !== "success";

function fleetOf(process: VirtualProcess, { time, random, started }: World): Fleet {
  return {
    tier: "isolate",
    run(_tenant, { activationId: id, contextJson }, client) {
      const { attempt } = JSON.parse(contextJson) as { attempt: number };
      started.set(id, [...(started.get(id) ?? []), { attempt, atMs: time.monotonic() }]);
      // Its sandbox is a process of its own, which goes on while the invoker stands still.
      const ms = random() < 0.1 ? random() * 3 * LEASE_MS : random() * 300;
      time.setTimer(
        () => void process.whenRunning().then(() => client.onOutcome(outcomeOf(id, attempt))),
        ms,
      );
    },
    hasRoom: () => true,
    cancel: nothing,
    stats: () => ({ tenants: 0, sandboxes: 0, active: 0, warmPrograms: 0 }),
    warmPrograms: () => [],
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function createWorld(seed: number): Promise<World> {
  const random = seeded(seed);
  const world = await createWorkWorld(random, START_MS);
  const leases = new MemoryLeases();
  const strikes = { kill: 0, pause: 0, leader: 0, clock: 0 };
  return { ...world, leases, schedules: new MemorySchedules(leases), timing: createTiming(), strikes };
}

async function addSchedules({ schedules, random, timing, time }: World): Promise<void> {
  for (const [n, overlap_policy] of [...POLICIES, ...POLICIES].entries()) {
    const uid = `00000000-0000-4000-a000-${Math.floor(random() * 0xffff_ffff)
      .toString(16)
      .padStart(12, "0")}`;
    const record: ScheduleRecord = {
      tenant: "t_default",
      namespace: "default",
      name: `schedule-${n}`,
      uid,
      every_seconds: 2 + Math.floor(random() * 6),
      overlap_policy,
      ref: { function: `work${n % 2}` },
      payload: null,
      enabled: true,
      jitter_seconds: 0,
      max_catchup_ticks: 60,
      generation: 1,
      created_at_ms: time.wall(),
      updated_at_ms: time.wall(),
    };
    const next = timing.next(record, time.wall());
    await schedules.create(record, { next_tick_ms: next, due_at_ms: next });
  }
}

async function run({ time }: World, forMs: number): Promise<void> {
  const untilMs = time.monotonic() + forMs;
  while (time.step(untilMs)) await settle();
}

/** Breaks one thing at a time, while calls are lost and late: processes, leaders, clocks. */
async function trouble(
  world: World,
  schedulers: SchedulerProcess[],
  invokers: InvokerProcess[],
): Promise<void> {
  const { random, strikes } = world;
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const pause = async (victim: VirtualProcess): Promise<void> => {
    victim.pause();
    await run(world, random() * 4 * LEASE_MS);
    victim.resume();
  };
  for (let strike = 0; strike < STRIKES; strike++) {
    await run(world, random() * 4 * SECOND);
    const kind = pick(["kill", "pause", "leader", "clock"] as const);
    strikes[kind]++;
    if (kind === "clock") world.time.setWall(Math.round((random() - 0.5) * 40 * SECOND));
    else if (kind === "pause") await pause(pick(invokers));
    else if (kind === "kill") {
      const victim = pick(invokers);
      victim.pause();
      invokers.splice(invokers.indexOf(victim), 1, await InvokerProcess.start(world));
    } else {
      const leader = schedulers.find((process) => process.leads()) ?? pick(schedulers);
      if (random() < 0.5) {
        leader.pause();
        schedulers.splice(schedulers.indexOf(leader), 1, new SchedulerProcess(world));
      } else await pause(leader);
    }
  }
}

function judge(world: World): void {
  const { records, started, told } = world;
  for (const [id, record] of records.all) {
    const ends = records.ends.get(id) ?? [];
    assert.equal(ends.length, 1, `${id} ended ${ends.length} times: ${JSON.stringify(record)}`);
    assert.equal(record.status, isPoisoned(id) ? "error" : "success", JSON.stringify(record));
    const attempts = (started.get(id) ?? []).map(({ attempt }) => attempt);
    assert.ok(attempts.length > 0, `${id} has an end without a run`);
    assert.equal(new Set(attempts).size, attempts.length, `${id} ran an attempt twice: ${attempts.join()}`);
    assert.ok(Math.max(...attempts) <= ATTEMPTS_MAX, `${id} ran as attempt ${attempts.join()}`);
    // One whose lease was lost too often ends without another run.
    assert.ok(
      attempts.includes(record.attempt) || record.attempt > ATTEMPTS_MAX,
      `${id} ended as an attempt that never ran: ${attempts.join()}, ${JSON.stringify(record)}`,
    );
  }
  for (const id of records.all.keys()) {
    const [end] = records.ends.get(id) ?? [];
    assert.ok(told.has(id), `the end of ${id} was never told`);
    for (const { attempt, status } of told.get(id) ?? [])
      assert.deepEqual(
        [attempt, status],
        [end?.record.attempt, end?.record.status],
        `${id} was told otherwise`,
      );
  }
  for (const { record } of world.schedules.all()) judgeTicks(world, record);
}

/** Every number and moment once, and one at a time where that is asked for. */
function judgeTicks({ records, started, timing, strikes }: World, schedule: ScheduleRecord): void {
  const ticks = [...records.all.values()]
    .map(({ activation_id: id, trigger }) => ({
      id,
      ...(trigger.source as { schedule: string; tick_seq: number; due_ms: number }),
    }))
    .filter((tick) => tick.schedule === schedule.name)
    .toSorted((a, b) => a.tick_seq - b.tick_seq);
  assert.equal(new Set(ticks.map(({ tick_seq }) => tick_seq)).size, ticks.length, "a tick came twice");
  for (const [at, { id, tick_seq, due_ms }] of ticks.entries()) {
    const before = ticks[at - 1];
    if (before === undefined) continue;
    // A clock that was set leaves numbers out, and shows moments again under others.
    if (strikes.clock === 0) {
      assert.ok(due_ms > before.due_ms, `${schedule.name}: a moment came twice`);
      if (schedule.overlap_policy !== "skip")
        assert.deepEqual(
          [tick_seq, due_ms],
          [before.tick_seq + 1, timing.next(schedule, before.due_ms)],
          `${schedule.name}: a tick is missing`,
        );
    }
    if (schedule.overlap_policy === "parallel") continue;
    const startMs = started.get(id)?.[0]?.atMs ?? 0;
    const endMs = records.ends.get(before.id)?.[0]?.atMs ?? Infinity;
    assert.ok(startMs >= endMs, `${schedule.name}: tick ${tick_seq} began before the one before had ended`);
  }
}

for (let first = FIRST_SEED; first < FIRST_SEED + ROUNDS; first += ROUNDS_A_TEST) {
  const last = Math.min(first + ROUNDS_A_TEST, FIRST_SEED + ROUNDS) - 1;
  test(`scheduler, queue and invokers under kills, pauses, clocks that are set and calls that are lost: one end each (seeds ${first}–${last})`, async (context) => {
    const sum = { activations: 0, again: 0 };
    const strikes: Record<string, number> = {};
    for (let seed = first; seed <= last; seed++) {
      const world = await createWorld(seed);
      await addSchedules(world);
      const schedulers = [new SchedulerProcess(world), new SchedulerProcess(world)];
      const invokers = [await InvokerProcess.start(world), await InvokerProcess.start(world)];
      await run(world, 5 * SECOND);
      Object.assign(world.faults, { lost: 0.02, late: 0.05 });
      await trouble(world, schedulers, invokers);
      Object.assign(world.faults, { lost: 0, late: 0 });
      for (const { record } of world.schedules.all())
        await world.schedules.replace(
          { ...record, enabled: false, generation: record.generation + 1 },
          { next_tick_ms: null, due_at_ms: null },
        );
      await run(world, CALM_MS);
      try {
        judge(world);
      } catch (error) {
        throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
      }
      sum.activations += world.records.all.size;
      sum.again += [...world.records.all.values()].filter(({ attempt }) => attempt > 1).length;
      for (const [kind, count] of Object.entries(world.strikes)) strikes[kind] = (strikes[kind] ?? 0) + count;
      await world.queue[Symbol.asyncDispose]();
    }
    assert.ok(
      sum.activations > 10 * (last - first + 1) &&
        sum.again > 0 &&
        Object.values(strikes).every((count) => count > 0),
      "there was trouble",
    );
    context.diagnostic(
      `${sum.activations} ends, ${sum.again} of a later attempt; ${JSON.stringify(strikes)}`,
    );
  });
}

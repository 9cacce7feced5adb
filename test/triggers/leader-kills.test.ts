import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ActivationRecord } from "@sous/contract";
import { missingPostgres, missingRedis, startPostgres, startRedis } from "@sous/store/testing";
import { type Api, manifest, until } from "../support/api.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { someLeader } from "../support/leader.ts";
import { reportProgress } from "../support/progress.ts";
import { seeded, skipUnlessRequired } from "../support/scratch.ts";
import type { TestServer } from "../support/server.ts";
import { assertApart, assertConsecutive, settledTicks, sourceOf, ticksOf } from "../support/ticks.ts";

/** `SOUS_TEST_SCHEDULE_SECONDS=120` kills leaders for two minutes. */
const SECONDS = Number(process.env["SOUS_TEST_SCHEDULE_SECONDS"] ?? 15);
const SEED = Number(process.env["SOUS_TEST_SCHEDULE_SEED"] ?? 0x71c5);
/** Without a leader for longer than this a schedule with this cap leaves ticks out. */
const CAP = 3;
/** What is done to leaders: all of these before any comes again. */
const STRIKES = ["killed", "killed", "stopped"] as const;
const SCHEDULES = "/v1/tenants/t_default/namespaces/default/schedules";
const missing = missingPostgres() ?? missingRedis();

test("schedules while their leaders are killed", (context) => {
  if (missing !== undefined) skipUnlessRequired(context, missing);
});

if (missing === undefined) {
  test(
    "while leaders are killed and stopped at random no tick comes twice, none is missing that is not past the cap, and skip never overlaps",
    { timeout: (SECONDS + 180) * 1000 },
    async (context) => {
      await using postgres = await startPostgres();
      await using redis = await startRedis();
      await using cluster = await startCluster({
        store: `${postgres.database().url}?pool=3`,
        codeq: redis.url,
        counts: { gateway: 0, invoker: 1, scheduler: 2 },
      });
      const { api } = cluster;
      await createSchedules(api);
      await until(async () => (await ticksOf(api, "all")).length > 0, "the first tick");
      const struck = await strikeLeaders(cluster);
      await someLeader(cluster);
      const quietMs = Date.now();
      for (const name of ["all", "in-turn", "few"]) {
        await until(
          async () => (await ticksOf(api, name)).some((tick) => sourceOf(tick).due_ms > quietMs),
          `${name} to have caught up`,
          60_000,
        );
      }
      for (const name of ["all", "in-turn", "few", "skipping"]) {
        await api.expect(200, "PATCH", `${SCHEDULES}/${name}`, { enabled: false });
      }
      const [all, inTurn, few, skipping] = [
        await settledTicks(api, "all"),
        await settledTicks(api, "in-turn"),
        await settledTicks(api, "few"),
        await settledTicks(api, "skipping"),
      ];
      context.diagnostic(
        `seed ${SEED}: leaders ${struck.join(", ")}; ticks of all ${all.length}, in-turn ${inTurn.length}, few ${few.length}, skipping ${skipping.length}`,
      );
      assert.deepEqual(new Set(struck), new Set(STRIKES), "leaders were killed, and stopped");
      assert.ok(all.length >= SECONDS, `${all.length} ticks in more than ${SECONDS} s`);
      assertConsecutive(all, 1000);
      assertConsecutive(inTurn, 1000);
      assertApart(inTurn);
      assertCapped(few);
      assertApart(skipping);
      const numbers = skipping.map((tick) => sourceOf(tick).tick_seq);
      assert.equal(new Set(numbers).size, numbers.length, "no tick of it comes twice");
      for (const tick of [...all, ...inTurn, ...few, ...skipping]) {
        assert.deepEqual([tick.status, tick.attempt], ["success", 1], JSON.stringify(tick));
      }
    },
  );
}

async function createSchedules(api: Api): Promise<void> {
  const code = "export default async (ms) => await new Promise((resolve) => setTimeout(resolve, ms));";
  const files = { "function.js": code, "manifest.json": manifest({ limits: { maxConcurrency: 50 } }) };
  const authz = {
    invoke_http_roles: ["admin"],
    invoke_schedule_roles: ["role:worker"],
    invoke_cadence_roles: [],
  };
  await api.deploy({ name: "wait", files, config: { authz } });
  const every = { every_seconds: 1, ref: { function: "wait", alias: "prod" } };
  for (const schedule of [
    { ...every, name: "all", overlap_policy: "parallel", payload: 0 },
    { ...every, name: "few", overlap_policy: "parallel", payload: 0, max_catchup_ticks: CAP },
    { ...every, name: "in-turn", overlap_policy: "queue", payload: 0 },
    { ...every, name: "skipping", overlap_policy: "skip", payload: 1300 },
  ]) {
    await api.expect(201, "POST", SCHEDULES, schedule);
  }
}

/** Kills the leader, or lets it stand still, again and again: each kind at least once. @returns what was done */
async function strikeLeaders(cluster: Cluster): Promise<(typeof STRIKES)[number][]> {
  const random = seeded(SEED);
  const endMs = Date.now() + SECONDS * 1000;
  const done: (typeof STRIKES)[number][] = [];
  let left = [...STRIKES];
  using _progress = reportProgress(() => `leaders ${done.join(", ") || "not struck yet"}`);
  while (Date.now() < endMs || done.length < STRIKES.length) {
    await sleep(random() * 3000);
    const leader = await someLeader(cluster);
    const [strike = "killed"] = left.splice(Math.floor(random() * left.length), 1);
    if (left.length === 0) left = [...STRIKES];
    await (strike === "killed" ? kill(cluster, leader, random) : stop(cluster, leader, random));
    done.push(strike);
  }
  return done;
}

async function kill(cluster: Cluster, leader: TestServer, random: () => number): Promise<void> {
  await leader.kill();
  cluster.processes.scheduler = cluster.processes.scheduler.filter((each) => each !== leader);
  await sleep(random() * 1000);
  await cluster.start("scheduler");
}

/** Past its term, until another leads, and on: what it still means to do is of a term that is over. */
async function stop(cluster: Cluster, leader: TestServer, random: () => number): Promise<void> {
  process.kill(leader.pid, "SIGSTOP");
  try {
    await someLeader(cluster, leader);
    await sleep(random() * 2000);
  } finally {
    process.kill(leader.pid, "SIGCONT");
  }
}

/** Says that ticks are left out only where more were due than the cap, after as many as the cap were made up for. */
function assertCapped(ticks: readonly ActivationRecord[]): void {
  for (const [index, tick] of ticks.entries()) {
    const before = ticks[index - 1];
    if (before === undefined) continue;
    const [last, now] = [sourceOf(before), sourceOf(tick)];
    if (now.tick_seq === last.tick_seq + 1) {
      assert.equal(now.due_ms, last.due_ms + 1000);
      continue;
    }
    assert.equal(now.tick_seq, last.tick_seq + 2, "a number is left out, and no other");
    const made = ticks.slice(Math.max(0, index - CAP), index).map(sourceOf);
    assert.deepEqual(
      made.map(({ due_ms }) => due_ms),
      Array.from({ length: CAP }, (_, at) => last.due_ms - (CAP - 1 - at) * 1000),
      "as many as the cap are made up for",
    );
    assert.ok(before.enqueued_at_ms >= last.due_ms + 1000, "more of them were due");
  }
}

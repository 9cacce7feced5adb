import assert from "node:assert/strict";
import test from "node:test";
import { type ScheduleRecord, type ScheduleState, tickActivationId } from "@sous/contract";
import { createTiming } from "../schedules/timing.ts";
import { planTicks } from "./plan-ticks.ts";

const UID = "0b0f3c5e-9a70-4b4e-8a5c-3f1f4f2f6a01";
const NOW = 1_800_000_000_000;
const timing = createTiming();

const record = (change: Partial<ScheduleRecord> = {}): ScheduleRecord => ({
  tenant: "t_default",
  namespace: "default",
  name: "each-second",
  uid: UID,
  every_seconds: 1,
  overlap_policy: "parallel",
  ref: { function: "hello" },
  payload: null,
  enabled: true,
  jitter_seconds: 0,
  max_catchup_ticks: 60,
  generation: 1,
  created_at_ms: 0,
  updated_at_ms: 0,
  ...change,
});
const state = (change: Partial<ScheduleState> = {}): ScheduleState => ({
  tick_seq: 5,
  next_tick_ms: NOW,
  due_at_ms: NOW,
  inflight: null,
  catchup_end_seq: null,
  ...change,
});
const plan = (of: ScheduleRecord, from: ScheduleState, nowMs: number, runningMs: number | null = null) =>
  planTicks({ record: of, state: from }, { nowMs, timing, runningMs });
const seqs = ({ ticks }: ReturnType<typeof plan>): number[] => ticks.map(({ seq }) => seq);

test("a tick on time is published, and the next is an interval after it, not after now", () => {
  const { ticks, next, jumped } = plan(record(), state(), NOW + 7);
  assert.deepEqual(ticks, [{ seq: 5, dueMs: NOW }]);
  assert.deepEqual(next, state({ tick_seq: 6, next_tick_ms: NOW + 1000, due_at_ms: NOW + 1000 }));
  assert.equal(jumped, false);
});

test("ticks that were missed are made up for, each with its own moment", () => {
  const { ticks, next } = plan(record(), state(), NOW + 2500);
  assert.deepEqual(
    ticks.map(({ dueMs }) => dueMs),
    [NOW, NOW + 1000, NOW + 2000],
  );
  assert.equal(next.next_tick_ms, NOW + 3000);
});

test("behind by more than the bound the oldest ticks are made up for, then it goes on from now", () => {
  const nowMs = NOW + 1_000_123;
  const { ticks, next, jumped } = plan(record(), state(), nowMs);
  assert.equal(ticks.length, 60);
  assert.equal(ticks.at(-1)?.seq, 64);
  assert.equal(jumped, true);
  assert.deepEqual([next.tick_seq, next.next_tick_ms], [66, nowMs + 1000], "a number is left out");
  const exact = plan(record(), state(), NOW + 59_999);
  assert.deepEqual([exact.ticks.length, exact.jumped], [60, false]);
});

test("without catch-up a tick is run on time or not at all", () => {
  const none = record({ max_catchup_ticks: 0, every_seconds: 3600 });
  assert.deepEqual(seqs(plan(none, state(), NOW + 9000)), [5]);
  const late = plan(none, state(), NOW + 60_000);
  assert.deepEqual([seqs(late), late.jumped, late.next.next_tick_ms], [[], true, NOW + 3_660_000]);
});

test("who asks later about the same state is given the same ticks and more", () => {
  for (const change of [{}, { jitter_seconds: 3 }, { cron: "*/5 * * * * *", timezone: "UTC" }]) {
    const { every_seconds, ...rest } = record(change);
    const of = "cron" in change ? rest : { ...rest, every_seconds: every_seconds ?? 1 };
    const early = plan(of, state(), NOW + 20_000).ticks;
    const later = plan(of, state(), NOW + 200_000).ticks;
    assert.ok(early.length > 0 && later.length > early.length);
    assert.deepEqual(later.slice(0, early.length), early);
  }
});

test("skip leaves out every tick that is due while the one before runs", () => {
  const skip = record({ overlap_policy: "skip" });
  const running = state({ inflight: "x" });
  const { ticks, next, overlapped } = plan(skip, running, NOW + 1500, 900);
  assert.deepEqual([ticks, overlapped], [[], 2]);
  assert.deepEqual(
    next,
    state({ tick_seq: 7, next_tick_ms: NOW + 2000, due_at_ms: NOW + 2000, inflight: "x" }),
  );
  const far = plan(skip, running, NOW + 100_500, 900);
  assert.deepEqual([far.overlapped, far.jumped, far.next.next_tick_ms], [60, true, NOW + 101_500]);
});

test("skip and queue publish one tick and keep its id until it has ended", () => {
  for (const overlap_policy of ["skip", "queue"] as const) {
    const first = plan(record({ overlap_policy }), state({ inflight: "of before" }), NOW + 1500);
    assert.deepEqual(seqs(first), [5]);
    assert.equal(first.next.inflight, tickActivationId(UID, 5));
    assert.deepEqual([first.next.tick_seq, first.next.next_tick_ms], [6, NOW + 1000]);
    assert.equal(first.next.due_at_ms, NOW + 1600, "the next is due already: a look a moment later");
  }
});

test("queue lets ticks wait while one runs, and looks again ever more slowly", () => {
  const queue = record({ overlap_policy: "queue" });
  const looks = [0, 100, 2000, 30_000].map((runningMs) => {
    const { ticks, next } = plan(queue, state({ inflight: "x" }), NOW + 40_000, runningMs);
    assert.deepEqual([ticks, next.tick_seq, next.next_tick_ms, next.inflight], [[], 5, NOW, "x"]);
    return (next.due_at_ms ?? 0) - NOW - 40_000;
  });
  assert.deepEqual(looks, [100, 100, 500, 1000]);
});

test("one by one, no more than the bound is made up for either", () => {
  const queue = record({ overlap_policy: "queue", max_catchup_ticks: 3 });
  let at = state();
  let nowMs = NOW + 60_000;
  const published: number[] = [];
  for (let look = 0; look < 10; look++, nowMs += 100) {
    const { ticks, next, jumped } = plan(queue, at, nowMs);
    published.push(...ticks.map(({ seq }) => seq));
    at = next;
    if (!jumped) continue;
    assert.deepEqual(published, [5, 6, 7]);
    assert.deepEqual([at.tick_seq, at.next_tick_ms, at.catchup_end_seq], [9, nowMs + 1000, null]);
    return;
  }
  assert.fail("it never went on from now");
});

test("who has caught up forgets that it was behind", () => {
  const queue = record({ overlap_policy: "queue" });
  const { ticks, next } = plan(queue, state({ catchup_end_seq: 6 }), NOW + 5);
  assert.deepEqual([ticks.length, next.catchup_end_seq], [1, null]);
});

test("the jitter of each tick delays it and not the ones after", () => {
  const jittered = record({ every_seconds: 60, jitter_seconds: 10 });
  const { next } = plan(jittered, state(), NOW + 10_000);
  assert.equal(next.next_tick_ms, NOW + 60_000);
  const delay = (next.due_at_ms ?? 0) - (next.next_tick_ms ?? 0);
  assert.ok(delay >= 0 && delay <= 10_000);
  const second = plan(jittered, next, (next.due_at_ms ?? 0) + 1);
  assert.deepEqual(second.ticks, [{ seq: 6, dueMs: NOW + 60_000 }]);
});

import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { type EventSourceRecord, PlatformError } from "@sous/contract";
import { compileFilters } from "../events/filter-pattern.ts";
import type { Partition, SourceMessage } from "./adapter.ts";
import { runPartition } from "./run-partition.ts";
import { sleep } from "./sleep.ts";
import { SourceProgress } from "./source-progress.ts";
import type { EventBatch, EventEnd } from "./submit-events.ts";

const SOURCE: EventSourceRecord = {
  tenant: "t_default",
  namespace: "default",
  name: "orders",
  uid: "00000000-0000-4000-8000-000000000000",
  type: "codeq",
  ref: { function: "work" },
  batch_size: 4,
  batch_window_ms: 0,
  filters: [],
  parallelism: 1,
  bisect_on_error: true,
  retry: { max_attempts: 3, backoff_ms: 1, backoff_max_ms: 2 },
  max_record_age_ms: 60_000,
  start_position: "latest",
  enabled: true,
  created_at_ms: 0,
  updated_at_ms: 0,
};

/** Whether a call goes well; "expired" where it ends unrun. */
type Answer = boolean | "expired";

interface World {
  source?: Partial<EventSourceRecord>;
  messages: readonly Partial<SourceMessage>[];
  /** @returns whether the call goes well; may throw what the submitter throws */
  answer?: (ids: string[], call: EventBatch) => Answer | Promise<Answer>;
  receive?: () => void;
  giveBack?: boolean;
  /** Hears of each refusal; may throw what the store throws. */
  refuse?: () => void;
  until: (seen: Seen) => boolean;
}

interface Seen {
  calls: string[];
  done: string[];
  givenBack: string[];
  state: string;
}

/** Runs a partition over a source in memory until a condition holds. */
async function run({
  source,
  messages,
  answer = () => true,
  receive,
  giveBack = false,
  refuse,
  until,
}: World) {
  const record = { ...SOURCE, ...source };
  const stop = new AbortController();
  const faults: string[] = [];
  const meter = { count: () => {}, fault: (_: unknown, error: unknown) => void faults.push(String(error)) };
  const progress = new SourceProgress(record, meter, Date.now);
  const left = messages.map((message, at): SourceMessage => ({
    id: String(at),
    attempt: 1,
    json: JSON.stringify(message.match ?? {}),
    match: {},
    ...message,
  }));
  const seen: Seen = { calls: [], done: [], givenBack: [], state: "" };
  const partition: Partition = {
    async receive(room, signal) {
      receive?.();
      const taken = left.splice(0, room);
      if (taken.length === 0) await sleep(20, signal);
      return taken;
    },
    done: async (ended) => void seen.done.push(...ended.map(({ id }) => id)),
    ...(giveBack ? { giveBack: async (back) => void seen.givenBack.push(...back.map(({ id }) => id)) } : {}),
    [Symbol.asyncDispose]: async () => {},
  };
  const running = runPartition({
    source: record,
    partitionId: "all",
    partition,
    filter: compileFilters(record.filters),
    submitter: {
      async run(_source, call): Promise<EventEnd> {
        const ids = call.messages.map(({ id }) => id);
        const well = await answer(ids, call);
        seen.calls.push(ids.join("") + (call.isLast ? "!" : ""));
        const type = well === "expired" ? "Expired" : "Exception";
        const error = well === true ? undefined : ({ type, message: "no" } as const);
        return { activationId: ids.join(), error, result: undefined, isCancelled: false };
      },
      async refuse(_source, _partition, { id }) {
        refuse?.();
        seen.calls.push(`refused ${id}`);
      },
    },
    progress,
    depthMax: 8,
    clock: Date.now,
    random: () => 0.5,
    sleep,
    stop: stop.signal,
    abandon: stop.signal,
  });
  const endMs = Date.now() + 5000;
  for (;;) {
    seen.state = progress.snapshot().state;
    if (until(seen)) break;
    assert.ok(Date.now() < endMs, `it never came so far: ${JSON.stringify(seen)}`);
    await pause(2);
  }
  const status = progress.snapshot();
  stop.abort();
  await running;
  return { ...seen, status, faults };
}

const some = (count: number, more: Partial<SourceMessage> = {}): Partial<SourceMessage>[] =>
  Array.from({ length: count }, () => more);

test("a poisoned batch isolates the one bad message, which is a dead letter after its attempts", async () => {
  const { calls, done, status } = await run({
    messages: some(4),
    answer: (ids) => !ids.includes("2"),
    until: ({ done }) => done.length === 4,
  });
  assert.deepEqual(calls, ["0123", "01", "23", "2", "3", "2", "2!"]);
  assert.deepEqual(done, ["0", "1", "3", "2"]);
  assert.deepEqual([status.succeeded, status.failed, status.received], [3, 1, 4]);
});

test("what no filter takes is dropped, and counts as such", async () => {
  const { calls, done, status } = await run({
    source: { filters: [{ body: { kind: ["order"] } }] },
    messages: ["order", "other", "order"].map((kind) => ({ match: { body: { kind } } })),
    until: ({ done }) => done.length === 3,
  });
  assert.deepEqual([calls, done.toSorted(), status.filtered], [["02"], ["0", "1", "2"], 1]);
});

test("with an ordering key messages of one value run in order, those of others beside them", async () => {
  const order: string[] = [];
  let open = 0;
  let most = 0;
  await run({
    source: { ordering_key: "body.who", parallelism: 4, batch_size: 1 },
    messages: Array.from({ length: 24 }, (_, at) => ({ match: { body: { who: at % 3 } } })),
    async answer([id = ""], call) {
      most = Math.max(most, ++open);
      await pause(2);
      open--;
      if (call.attempt < 2 && Number(id) % 5 === 0) return false;
      order.push(id);
      return true;
    },
    until: ({ done }) => done.length === 24,
  });
  for (const who of [0, 1, 2]) {
    const own = order.map(Number).filter((id) => id % 3 === who);
    assert.deepEqual(
      own,
      own.toSorted((a, b) => a - b),
      `in the order of ${who}, failures included`,
    );
  }
  assert.ok(most > 1 && most <= 3, `${most} at a time`);
});

test("while the function's queue is full the source is left alone, and nothing counts as an attempt", async () => {
  let full = true;
  let reads = 0;
  const ran = run({
    source: { batch_size: 1 },
    messages: some(200),
    receive: () => void reads++,
    answer(ids, call) {
      if (full) throw new PlatformError("CS_QUEUE_FULL", "the queue of work is full");
      assert.equal(call.attempt, 1);
      return true;
    },
    until: ({ done, state }) => {
      if (state === "waiting" && full) {
        assert.ok(reads <= 3, `${reads} reads`);
        full = false;
      }
      return done.length === 200;
    },
  });
  const { status } = await ran;
  assert.deepEqual([status.succeeded, status.state], [200, "running"]);
  assert.match(status.last_error?.message ?? "", /queue of work is full/);
});

test("a source that cannot be reached is tried again, later each time, and says so meanwhile", async () => {
  let failures = 0;
  const { faults, status } = await run({
    messages: some(1),
    receive: () => {
      if (failures++ < 2) throw new Error("connection refused");
    },
    until: ({ done, state }) => state === "failing" || done.length === 1,
  });
  assert.deepEqual(
    [status.state, status.last_error?.message, faults.length],
    ["failing", "connection refused", 1],
  );
});

test("with no attempts of its own a failed message goes back to its source, with those of its key behind it", async () => {
  const { givenBack, done } = await run({
    source: { retry: { max_attempts: 0, backoff_ms: 1, backoff_max_ms: 2 }, batch_size: 2 },
    giveBack: true,
    messages: ["a", "b", "a", "a"].map((key) => ({ key })),
    answer: (ids) => !ids.includes("0"),
    until: ({ givenBack, done }) => givenBack.length === 3 && done.length === 1,
  });
  assert.deepEqual([givenBack, done], [["0", "2", "3"], ["1"]]);
});

test("a message at the end of a chain that is too long is refused with a record", async () => {
  const { calls, done } = await run({
    messages: [{ depth: 8 }, { depth: 7 }],
    until: ({ done }) => done.length === 2,
  });
  assert.deepEqual(
    [calls, done],
    [
      ["refused 0", "1"],
      ["0", "1"],
    ],
  );
});

test("a refusal that the store does not take is tried again, and what was read with it runs", async () => {
  let failures = 0;
  const { calls, faults } = await run({
    messages: [{ depth: 8 }, { depth: 7 }],
    refuse: () => {
      if (failures++ === 0) throw new PlatformError("CS_STORE_UNAVAILABLE", "the store is away");
    },
    until: ({ done }) => done.length === 2,
  });
  assert.deepEqual([calls.toSorted(), faults.length], [["1", "refused 0"], 1]);
});

test("a message that is too old is run alone and as its last attempt, with the moment it was too old", async () => {
  const { calls } = await run({
    messages: [{ atMs: Date.now() - 120_000 }, { atMs: Date.now() }],
    answer: (ids, call) => ids[0] !== "0" || call.expiresAtMs > Date.now(),
    until: ({ done }) => done.length === 2,
  });
  assert.deepEqual(calls, ["0!", "1"]);
});

test("deliveries of a message are no attempts of it, unless there were far too many", async () => {
  const { calls } = await run({
    source: { batch_size: 1 },
    messages: [{ attempt: 4 }, { attempt: 22 }, { attempt: 23 }],
    answer: () => false,
    until: ({ done }) => done.length === 3,
  });
  assert.deepEqual(
    ["0", "1", "2"].map((id) => calls.filter((ids) => ids.startsWith(id))),
    [["0", "0", "0!"], ["1", "1!"], ["2!"]],
  );
});

test("a call that ends unrun, because one of its messages became too old, counts as no attempt of the others", async () => {
  const atMs = Date.now() - 58_500;
  const tries: number[] = [];
  const { calls } = await run({
    messages: [{ atMs }, { atMs: Date.now() }],
    async answer(ids, call) {
      tries.push(call.tries);
      assert.equal(call.attempt, ids[0] === "0" && call.isLast ? 3 : 1);
      if (!ids.includes("0")) return true;
      // A timer may ring a millisecond early.
      await sleep(Math.max(0, call.expiresAtMs - Date.now()) + 5, new AbortController().signal);
      return "expired";
    },
    until: ({ done }) => done.length === 2,
  });
  assert.deepEqual(
    [calls, tries],
    [
      ["01", "0!", "1"],
      [1, 2, 2],
    ],
  );
});

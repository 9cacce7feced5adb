import assert from "node:assert/strict";
import test from "node:test";
import { setImmediate as settle } from "node:timers/promises";
import type { LeaseStore } from "@sous/store";
import { createSqliteStore } from "@sous/store";
import { createLocalLeases, createStoreLeases, type PartitionLeases } from "./partition-leases.ts";
import type { Sleep } from "./sleep.ts";

const TTL_MS = 10_000;

/** A moment in which nothing happens but what a test lets happen. */
function createTime() {
  let now = 1_000_000;
  let asked = 0;
  const sleepers = new Set<{ at: number; wake: () => void }>();
  const sleep: Sleep = (ms, signal) => {
    if (signal.aborted || ms === 0) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const sleeper = { at: now + ms, wake: resolve };
    sleepers.add(sleeper);
    signal.addEventListener("abort", () => resolve(), { once: true });
    return promise.finally(() => sleepers.delete(sleeper));
  };
  return {
    clock: () => now,
    sleep,
    /** Lets so much time go by, second by second, and everything happen that is due. */
    async pass(ms: number): Promise<void> {
      for (const end = now + ms; now < end; now += Math.min(500, end - now)) {
        for (const sleeper of sleepers) if (sleeper.at <= now) sleeper.wake();
        // The store answers from a thread of its own, which this time does not know.
        for (let idle = 0; idle < 5; idle = asked > 0 ? 0 : idle + 1) await settle();
      }
    },
    /** A store whose answers are waited for before more time goes by. */
    watched: (leases: LeaseStore): LeaseStore =>
      new Proxy(leases, {
        get: (target, name) => {
          const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
          return (...args: unknown[]) => {
            asked++;
            return method.apply(target, args).finally(() => asked--);
          };
        },
      }),
  };
}

type Time = ReturnType<typeof createTime>;

function open(
  time: Time,
  leases: LeaseStore,
  holder: string,
  faults: unknown[] = [],
  sharers = 2,
): PartitionLeases {
  const { clock, sleep } = time;
  const onFault = (error: unknown): void => void faults.push(error);
  return createStoreLeases({
    leases: time.watched(leases),
    holder,
    sharers: () => sharers,
    clock,
    monotonic: clock,
    sleep,
    onFault,
  });
}

/** Takes what is free now; patience of who has many is passed over. */
async function take(time: Time, leases: PartitionLeases, name: string) {
  let isDone = false;
  const taken = leases.take(name).finally(() => (isDone = true));
  while (!isDone) await time.pass(500);
  return await taken;
}

test("a partition is read by one process, and by the other once it is given back", async () => {
  await using store = await createSqliteStore({ path: ":memory:" });
  const time = createTime();
  await using one = open(time, store.leases, "one");
  await using other = open(time, store.leases, "other");
  const held = await take(time, one, "p");
  assert.equal(held?.fence?.lease, "p");
  assert.equal(await take(time, other, "p"), undefined);
  assert.notEqual(await take(time, other, "q"), undefined, "another partition is free");
  await held?.[Symbol.asyncDispose]();
  const next = await take(time, other, "p");
  assert.ok(
    (next?.fence?.epoch ?? 0) > (held?.fence?.epoch ?? Infinity),
    "what the first still writes is refused",
  );
  assert.equal(held?.lost.aborted, false, "what was given back was not lost");
});

test("a lease is kept as long as its process goes on, and no longer", async () => {
  await using store = await createSqliteStore({ path: ":memory:" });
  const time = createTime();
  const faults: unknown[] = [];
  let isCut = false;
  const throughNetwork = new Proxy(store.leases, {
    get: (target, name) =>
      isCut ? () => Promise.reject(new Error("cut")) : Reflect.get(target, name).bind(target),
  });
  await using one = open(time, throughNetwork, "one", faults);
  await using other = open(time, store.leases, "other");
  const held = await take(time, one, "p");
  await time.pass(5 * TTL_MS);
  assert.equal(held?.lost.aborted, false);
  assert.equal(await take(time, other, "p"), undefined);
  isCut = true;
  await time.pass(TTL_MS / 2);
  assert.equal(await take(time, other, "p"), undefined, "it may still be at work");
  await time.pass(TTL_MS);
  assert.equal(held?.lost.aborted, true, "by its own clock, whatever the store says");
  assert.ok(faults.length > 0);
  assert.notEqual(await take(time, other, "p"), undefined);
  isCut = false;
  await held?.[Symbol.asyncDispose]();
  assert.equal(await take(time, one, "p"), undefined, "what it gives back late is the other's");
});

test("a process whose clock is ahead does not keep a partition beyond its end", async () => {
  await using store = await createSqliteStore({ path: ":memory:" });
  const time = createTime();
  const ahead = { ...time, clock: () => time.clock() + 3_600_000 };
  const { sleep } = time;
  const dead = createStoreLeases({
    leases: time.watched(store.leases),
    holder: "dead",
    sharers: () => 2,
    clock: ahead.clock,
    monotonic: time.clock,
    sleep: (ms, signal) => (ms === 3000 ? new Promise(() => {}) : sleep(ms, signal)),
    onFault: () => {},
  });
  await using other = open(time, store.leases, "other");
  assert.notEqual(await take(time, dead, "p"), undefined);
  assert.equal(await take(time, other, "p"), undefined, "seen for the first time");
  await time.pass(TTL_MS);
  assert.notEqual(await take(time, other, "p"), undefined, "seen unchanged for all of its time");
});

test("who has fewer partitions comes first", async () => {
  await using store = await createSqliteStore({ path: ":memory:" });
  const time = createTime();
  await using busy = open(time, store.leases, "busy");
  await using idle = open(time, store.leases, "idle");
  for (const name of ["a", "b", "c"]) await take(time, busy, name);
  const both = Promise.all([busy.take("d"), idle.take("d")]);
  await time.pass(2000);
  const [mine, theirs] = await both;
  assert.deepEqual([mine, theirs === undefined], [undefined, false]);
});

const hundred = Array.from({ length: 100 }, (_, at) => `p${at}`);

test("a process whose others are gone takes all there is at once, however much it has", async () => {
  await using store = await createSqliteStore({ path: ":memory:" });
  const time = createTime();
  await using leases = open(time, store.leases, "one", [], 1);
  assert.equal((await leases.takeShare(hundred.slice(0, 50))).size, 50);
  assert.equal((await leases.takeShare(hundred)).size, 50, "no time has passed");
});

test("what others have is not waited for", async () => {
  await using store = await createSqliteStore({ path: ":memory:" });
  const time = createTime();
  await using one = open(time, store.leases, "one");
  await using other = open(time, store.leases, "other", [], 1);
  await other.takeShare(hundred);
  await take(time, one, "q");
  assert.equal((await one.takeShare(hundred)).size, 0, "no time has passed");
});

test("of a process that was killed another has all soon after the leases are over", async () => {
  await using store = await createSqliteStore({ path: ":memory:" });
  const time = createTime();
  await using one = open(time, store.leases, "one");
  const { sleep } = time;
  const dead = createStoreLeases({
    leases: time.watched(store.leases),
    holder: "dead",
    sharers: () => 1,
    clock: time.clock,
    monotonic: time.clock,
    sleep: (ms, signal) => (ms === 3000 ? new Promise(() => {}) : sleep(ms, signal)),
    onFault: () => {},
  });
  await dead.takeShare(hundred);
  await one.takeShare(hundred);
  await time.pass(TTL_MS);
  let has = 0;
  let looks = 0;
  while (has < 100) {
    let isDone = false;
    const share = one.takeShare(hundred).finally(() => (isDone = true));
    while (!isDone) await time.pass(500);
    has += (await share).size;
    assert.ok(++looks <= 8, `${has} after ${looks} looks`);
  }
});

test("two that begin at once have half each, and miss none", async () => {
  await using store = await createSqliteStore({ path: ":memory:" });
  const time = createTime();
  await using one = open(time, store.leases, "one");
  await using other = open(time, store.leases, "other");
  const had = [new Set<string>(), new Set<string>()] as const;
  const look = async (leases: PartitionLeases, at: 0 | 1): Promise<void> => {
    for (const name of (await leases.takeShare(hundred)).keys()) had[at].add(name);
  };
  const sizes = (): number[] => had.map(({ size }) => size);
  for (let looks = 0; had[0].size + had[1].size < 100; looks++) {
    assert.ok(looks < 8, `${sizes().join(" and ")} after ${looks} looks`);
    let isDone = false;
    const both = Promise.all([look(one, 0), look(other, 1)]).finally(() => (isDone = true));
    while (!isDone) await time.pass(500);
    await both;
  }
  assert.ok(Math.min(...sizes()) >= 25, sizes().join(" and "));
  assert.equal(had[0].union(had[1]).size, 100);
});

test("when the process ends what it has is free at once", async () => {
  await using store = await createSqliteStore({ path: ":memory:" });
  const time = createTime();
  const one = open(time, store.leases, "one");
  await take(time, one, "p");
  await one[Symbol.asyncDispose]();
  assert.equal(await one.take("q"), undefined, "it takes nothing more");
  await using other = open(time, store.leases, "other");
  assert.notEqual(await take(time, other, "p"), undefined);
});

test("a process that is alone takes what it likes", async () => {
  await using leases = createLocalLeases();
  const tenure = await leases.take("p");
  assert.deepEqual([tenure?.fence, tenure?.lost.aborted], [undefined, false]);
});

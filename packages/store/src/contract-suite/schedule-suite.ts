import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { ScheduleRecord, ScheduleState } from "@sous/contract";
import type { ScheduleStart, Store, StoredSchedule } from "../store.ts";
import { CONTRACT_STORE_OPTIONS, type StoreTest } from "./open-store.ts";
import { everyPage, NOW_MS, withCode } from "./samples.ts";

const SCOPE = { tenant: "t_default", namespace: "default" };
const MOST = CONTRACT_STORE_OPTIONS.schedulesPerNamespaceMax;

export const sampleSchedule = (name: string, change: Partial<ScheduleRecord> = {}): ScheduleRecord => ({
  ...SCOPE,
  name,
  uid: randomUUID(),
  every_seconds: 60,
  overlap_policy: "skip",
  ref: { function: "hello", alias: "prod" },
  payload: { text: 'ünïcode "quoted"\n' },
  enabled: true,
  jitter_seconds: 0,
  max_catchup_ticks: 60,
  generation: 1,
  created_at_ms: NOW_MS,
  updated_at_ms: NOW_MS,
  ...change,
});

const startAt = (ms: number | null): ScheduleStart => ({ next_tick_ms: ms, due_at_ms: ms });

async function created(store: Store, name: string, dueMs: number | null = NOW_MS): Promise<StoredSchedule> {
  const record = sampleSchedule(name);
  await store.schedules.create(record, startAt(dueMs));
  const stored = await store.schedules.get(record);
  assert.ok(stored !== undefined);
  return stored;
}

const after = (state: ScheduleState, change: Partial<ScheduleState> = {}): ScheduleState => ({
  ...state,
  tick_seq: state.tick_seq + 1,
  next_tick_ms: (state.next_tick_ms ?? 0) + 60_000,
  due_at_ms: (state.due_at_ms ?? 0) + 60_000,
  ...change,
});

const namesOf = (items: readonly StoredSchedule[]): string[] => items.map(({ record }) => record.name);

/** Schedules: the record is its owner's, the state the scheduler's. */
export function scheduleSuite(storeTest: StoreTest): void {
  storeTest("a schedule is kept as it is, its first tick has number 1", async (store) => {
    const record = sampleSchedule("nightly", { payload: [null, 1.5, { a: "b" }] });
    await store.schedules.create(record, { next_tick_ms: NOW_MS + 5, due_at_ms: NOW_MS + 7 });
    const state = { tick_seq: 1, next_tick_ms: NOW_MS + 5, due_at_ms: NOW_MS + 7 };
    const expected = { record, state: { ...state, inflight: null, catchup_end_seq: null } };
    assert.deepStrictEqual(await store.schedules.get(record), expected);
    await assert.rejects(
      store.schedules.create(sampleSchedule("nightly"), startAt(1)),
      withCode("CS_CONFLICT"),
    );
    assert.deepStrictEqual(await store.schedules.get(record), expected);
    assert.equal(await store.schedules.get({ ...SCOPE, name: "other" }), undefined);
  });

  storeTest("lists go by name in pages, of one namespace", async (store) => {
    for (const name of ["b-one", "a_two", "a-three"]) await created(store, name);
    await store.schedules.create(sampleSchedule("aaa", { namespace: "other" }), startAt(1));
    await store.schedules.create(sampleSchedule("aaa", { tenant: "t_other1" }), startAt(1));
    const pages = await everyPage(2, (page) => store.schedules.list(SCOPE, page));
    assert.deepStrictEqual(pages.map(namesOf), [["a-three", "a_two"], ["b-one"]]);
  });

  storeTest("a namespace holds so many schedules and not one more", async (store) => {
    for (let n = 0; n < MOST; n++) await created(store, `name${n}`);
    await assert.rejects(store.schedules.create(sampleSchedule("more"), startAt(1)), withCode("CS_CONFLICT"));
    await store.schedules.create(sampleSchedule("more", { namespace: "other" }), startAt(1));
    await store.schedules.delete({ ...SCOPE, name: "name1" });
    await created(store, "more");
  });

  storeTest("a deleted schedule is gone from everywhere, and its name can be used again", async (store) => {
    const old = await created(store, "nightly");
    await store.schedules.delete(old.record);
    assert.equal(await store.schedules.get(old.record), undefined);
    assert.deepStrictEqual((await store.schedules.due(NOW_MS, { limit: 10 })).items, []);
    await assert.rejects(store.schedules.delete(old.record), withCode("CS_NOT_FOUND"));
    const young = await created(store, "nightly");
    assert.equal(young.state.tick_seq, 1);
    assert.equal(await store.schedules.advance(old, after(old.state), undefined), false, "of the old uid");
    assert.equal(
      await store.schedules.replace({ ...old.record, generation: 2 }, startAt(1)),
      false,
      "of the old uid",
    );
    assert.deepStrictEqual(await store.schedules.get(old.record), young);
  });

  storeTest(
    "what is due comes earliest first, in pages, of every tenant, and nothing later",
    async (store) => {
      await created(store, "third", NOW_MS);
      await created(store, "first", NOW_MS - 10);
      await created(store, "later", NOW_MS + 1);
      await created(store, "paused", null);
      const other = sampleSchedule("second", { tenant: "t_other1" });
      await store.schedules.create(other, { next_tick_ms: NOW_MS + 500, due_at_ms: NOW_MS - 5 });
      const pages = await everyPage(2, (page) => store.schedules.due(NOW_MS, page));
      assert.deepStrictEqual(pages.map(namesOf), [["first", "second"], ["third"]]);
      const [next] = (await store.schedules.due(Number.MAX_SAFE_INTEGER, { limit: 1 })).items;
      assert.equal(next?.record.name, "first");
    },
  );

  storeTest("many of one moment are all told, once each", async (store) => {
    const uids = new Set<string>();
    for (let n = 0; n < 23; n++) {
      const record = sampleSchedule("same", { namespace: `space${n}` });
      uids.add(record.uid);
      await store.schedules.create(record, startAt(NOW_MS));
    }
    const pages = await everyPage(5, (page) => store.schedules.due(NOW_MS, page));
    const seen = pages.flat().map(({ record }) => record.uid);
    assert.equal(seen.length, 23);
    assert.deepStrictEqual(new Set(seen), uids);
  });

  storeTest("of several advances from one state exactly one applies", async (store) => {
    const read = await created(store, "nightly");
    const next = after(read.state, { inflight: randomUUID(), catchup_end_seq: 61 });
    const tries = Array.from({ length: 8 }, () => store.schedules.advance(read, next, undefined));
    assert.deepStrictEqual((await Promise.all(tries)).toSorted(), [...Array(7).fill(false), true]);
    assert.deepStrictEqual(await store.schedules.get(read.record), { record: read.record, state: next });
    const paused = { ...next, tick_seq: 3, next_tick_ms: null, due_at_ms: null, inflight: null };
    assert.equal(await store.schedules.advance({ ...read, state: next }, paused, undefined), true);
    assert.deepStrictEqual((await store.schedules.due(NOW_MS * 2, { limit: 10 })).items, []);
  });

  storeTest("a look that is put off keeps its tick", async (store) => {
    const read = await created(store, "nightly");
    const later = { ...read.state, due_at_ms: NOW_MS + 250 };
    assert.equal(await store.schedules.advance(read, later, undefined), true);
    assert.deepStrictEqual((await store.schedules.get(read.record))?.state, later);
    assert.deepStrictEqual((await store.schedules.due(NOW_MS + 249, { limit: 1 })).items, []);
    assert.equal((await store.schedules.due(NOW_MS + 250, { limit: 1 })).items.length, 1);
  });

  storeTest(
    "a change counts the generation, takes the next number and keeps what is in flight",
    async (store) => {
      const read = await created(store, "nightly");
      const inflight = randomUUID();
      await store.schedules.advance(read, after(read.state, { inflight, catchup_end_seq: 9 }), undefined);
      const changed = { ...read.record, generation: 2, every_seconds: 5, updated_at_ms: NOW_MS + 1 };
      assert.equal(
        await store.schedules.replace(changed, { next_tick_ms: NOW_MS + 9, due_at_ms: NOW_MS + 10 }),
        true,
      );
      const state = { tick_seq: 3, next_tick_ms: NOW_MS + 9, due_at_ms: NOW_MS + 10 };
      assert.deepStrictEqual(await store.schedules.get(read.record), {
        record: changed,
        state: { ...state, inflight, catchup_end_seq: null },
      });
      assert.equal(await store.schedules.replace(changed, startAt(1)), false, "the same generation again");
      assert.equal(
        await store.schedules.replace({ ...changed, generation: 4 }, startAt(1)),
        false,
        "one left out",
      );
      const stale = { ...read, state: { ...read.state, tick_seq: 2 } };
      assert.equal(await store.schedules.advance(stale, after(stale.state), undefined), false, "of before");
      assert.equal(await store.schedules.replace({ ...changed, generation: 3 }, startAt(null)), true);
      assert.equal((await store.schedules.get(read.record))?.state.due_at_ms, null);
    },
  );

  storeTest("an advance of a term that is over changes nothing", async (store) => {
    const read = await created(store, "nightly");
    const next = after(read.state);
    const lease = "scheduler";
    const old = await store.leases.acquire(lease, "one", NOW_MS, NOW_MS + 10);
    const epoch = await store.leases.acquire(lease, "two", NOW_MS + 10, NOW_MS + 20);
    assert.ok(old !== undefined && epoch !== undefined);
    assert.equal(await store.schedules.advance(read, next, { lease, epoch: old }), false);
    assert.equal(await store.schedules.advance(read, next, { lease: "unknown", epoch }), false);
    assert.deepStrictEqual(await store.schedules.get(read.record), read);
    assert.equal(await store.schedules.advance(read, next, { lease, epoch }), true);
    await store.leases.release(lease, epoch);
    const third = { record: read.record, state: next };
    assert.equal(await store.schedules.advance(third, after(next), { lease, epoch }), false, "released");
  });
}

/** Leases: one holder at a time, an epoch for each term. */
export function leaseSuite(storeTest: StoreTest): void {
  storeTest("a lease has one holder until it runs out or is released", async (store) => {
    const take = (holder: string, nowMs: number) =>
      store.leases.acquire("scheduler", holder, nowMs, nowMs + 100);
    const first = await take("one", NOW_MS);
    assert.ok(first !== undefined && first >= 1);
    assert.equal(await take("two", NOW_MS + 99), undefined);
    assert.equal(await take("one", NOW_MS + 99), undefined, "its holder renews, and does not take it anew");
    assert.equal(await store.leases.renew("scheduler", first, NOW_MS + 200), true);
    assert.equal(await take("two", NOW_MS + 150), undefined);
    const second = await take("two", NOW_MS + 200);
    assert.ok(second !== undefined && second > first);
    assert.equal(await store.leases.renew("scheduler", first, NOW_MS + 900), false);
    await store.leases.release("scheduler", first);
    assert.equal(await take("one", NOW_MS + 201), undefined, "an old epoch releases nothing");
    await store.leases.release("scheduler", second);
    assert.equal(await store.leases.renew("scheduler", second, NOW_MS + 900), false, "released");
    const third = await take("one", NOW_MS + 201);
    assert.ok(third !== undefined && third > second);
  });

  storeTest("of many who want a lease at once exactly one gets it", async (store) => {
    const tries = Array.from({ length: 8 }, (_, n) =>
      store.leases.acquire("scheduler", `holder${n}`, NOW_MS, NOW_MS + 100),
    );
    const epochs = (await Promise.all(tries)).filter((epoch) => epoch !== undefined);
    assert.equal(epochs.length, 1);
  });

  storeTest("a lease that ran out is its holder's until another takes it", async (store) => {
    const epoch = await store.leases.acquire("scheduler", "one", NOW_MS, NOW_MS + 10);
    assert.equal(await store.leases.renew("scheduler", epoch ?? 0, NOW_MS + 1000), true);
    assert.equal(await store.leases.acquire("scheduler", "two", NOW_MS + 500, NOW_MS + 600), undefined);
  });

  storeTest(
    "a lease that nobody renews is taken whatever the clocks say, a renewed one is not",
    async (store) => {
      const farMs = NOW_MS + 3_600_000;
      assert.equal(await store.leases.read("scheduler"), undefined);
      const epoch = await store.leases.acquire("scheduler", "one", farMs - 10, farMs);
      assert.ok(epoch !== undefined);
      const seen = await store.leases.read("scheduler");
      assert.deepStrictEqual(seen, { holder: "one", epoch, until_ms: farMs });
      await store.leases.renew("scheduler", epoch, farMs + 5);
      assert.equal(await store.leases.acquire("scheduler", "two", NOW_MS, NOW_MS + 10, seen), undefined);
      const later = await store.leases.read("scheduler");
      const second = await store.leases.acquire("scheduler", "two", NOW_MS, NOW_MS + 10, later);
      assert.ok(second !== undefined && second > epoch);
      assert.equal(await store.leases.acquire("scheduler", "three", NOW_MS, NOW_MS + 10, later), undefined);
    },
  );

  storeTest(
    "a term that was decided elsewhere ends every one of a lower epoch, and none of a higher",
    async (store) => {
      const { leases } = store;
      const read = await created(store, "nightly");
      assert.equal(await leases.raise("elsewhere", "one", 7), true);
      assert.deepStrictEqual(await leases.read("elsewhere"), { holder: "one", epoch: 7, until_ms: 0 });
      assert.equal(await leases.raise("elsewhere", "one", 7), true, "said again");
      assert.equal(await leases.raise("elsewhere", "two", 7), false, "the same term of another");
      assert.equal(await leases.raise("elsewhere", "two", 6), false);
      assert.equal(await leases.raise("elsewhere", "two", 12), true);
      assert.equal(await leases.raise("elsewhere", "one", 7), false, "over");
      const advance = (epoch: number) =>
        store.schedules.advance(read, after(read.state), { lease: "elsewhere", epoch });
      assert.equal(await advance(7), false);
      assert.equal(await advance(12), true);
      await leases.release("elsewhere", 12);
      assert.equal(await leases.raise("elsewhere", "two", 12), false, "released");
      const raised = await Promise.all(
        ["a", "b", "c"].map((holder) => leases.raise("elsewhere", holder, 20)),
      );
      assert.deepStrictEqual(raised.filter(Boolean).length, 1, "of three at once one");
    },
  );

  storeTest("leases of different names are apart", async (store) => {
    assert.ok((await store.leases.acquire("one", "me", NOW_MS, NOW_MS + 10)) !== undefined);
    assert.ok((await store.leases.acquire("two", "me", NOW_MS, NOW_MS + 10)) !== undefined);
  });
}

import assert from "node:assert/strict";
import test from "node:test";
import { type ActivationRecord, type Invocation, LIMITS, newActivationId } from "@sous/contract";
import { createSqliteStore, type TerminalRecord } from "@sous/store";
import { LiveActivation } from "../activations/live-activation.ts";
import { newestFirst, type QueuedActivations } from "../activations/queued-activations.ts";
import { listActivations } from "./list-activations.ts";

const START_MS = 1_750_000_000_000;

function recordAt(atMs: number): ActivationRecord {
  const invocation = {
    activation_id: newActivationId(),
    request_id: "req_12345678",
    tenant: "t_default",
    namespace: "default",
    ref: { function: "hello", version: 1 },
    trigger: { type: "api", source: {} },
    principal: { sub: "ada", roles: ["admin"] },
    deadline_ms: 0,
    mode: "async",
    attempt: 1,
    enqueued_at_ms: START_MS + atMs,
  } as unknown as Invocation;
  return new LiveActivation(invocation, 1, "isolate").record();
}

/** A queue that was asked: a page of what waits, and a look at no more than `looksMax` of them. */
function queueOf(waiting: () => Iterable<ActivationRecord>, looksMax = Infinity): QueuedActivations {
  return {
    get: () => Promise.resolve(undefined),
    list: (_filter, below, limit) => {
      const isOlder = (record: ActivationRecord): boolean =>
        below === undefined ||
        record.enqueued_at_ms < below.enqueued_at_ms ||
        (record.enqueued_at_ms === below.enqueued_at_ms && record.activation_id < below.id);
      const older = [...waiting()].toSorted(newestFirst).filter(isOlder);
      const looked = older.slice(0, looksMax);
      const records = looked.filter((_, at) => looksMax === Infinity || at % 2 === 0).slice(0, limit);
      const last = records.length === limit ? records.at(-1) : looked.at(-1);
      const isAll = last === undefined || last === older.at(-1);
      const next = isAll ? undefined : { enqueued_at_ms: last.enqueued_at_ms, id: last.activation_id };
      return Promise.resolve({ records, next });
    },
  };
}

test("what waits without a record stands among the stored ones, newest first, page by page", async () => {
  await using store = await createSqliteStore({ path: ":memory:" });
  const all: ActivationRecord[] = [];
  const waiting: ActivationRecord[] = [];
  for (let n = 0; n < 30; n++) {
    const record = recordAt(Math.floor(n / 2));
    if (n % 3 === 0) waiting.push(record);
    else {
      const ended = { ...record, status: "success", end_ms: START_MS + 99, duration_ms: 1 } as TerminalRecord;
      await store.activations.finish(ended);
    }
    all.push(record);
  }
  const queued = queueOf(() => waiting);
  for (const limit of [1, 4, 7, 500]) {
    const items: ActivationRecord[] = [];
    let cursor: string | undefined;
    do {
      const page = await listActivations({ store, queued }, { tenant: "t_default" }, { limit, cursor });
      assert.ok(page.items.length <= limit);
      items.push(...page.items);
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
    assert.equal(new Set(items.map((item) => item.activation_id)).size, all.length, `limit ${limit}`);
    assert.equal(items.length, all.length);
    const moments = items.map((item) => item.enqueued_at_ms);
    assert.deepEqual(
      moments,
      moments.toSorted((a, b) => b - a),
    );
  }
});

test("a cursor that is none is refused", async () => {
  await using store = await createSqliteStore({ path: ":memory:" });
  const queued = queueOf(() => []);
  for (const cursor of ["q.bm8", "q.", `q.${Buffer.from("[1,2]").toString("base64url")}`, "nothing"]) {
    await assert.rejects(
      listActivations({ store, queued }, { tenant: "t_default" }, { limit: 1, cursor }),
      { code: "CS_VALIDATION_FAILED" },
      cursor,
    );
  }
});

test("what starts between two pages is not shown twice, nor lost", async () => {
  await using store = await createSqliteStore({ path: ":memory:" });
  const waiting = new Set(Array.from({ length: 60 }, (_, n) => recordAt(n)));
  const all = new Set([...waiting].map((record) => record.activation_id));
  const queued = queueOf(() => waiting);
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await listActivations({ store, queued }, { tenant: "t_default" }, { limit: 7, cursor });
    seen.push(...page.items.map((item) => item.activation_id));
    cursor = page.next_cursor ?? undefined;
    // Some of those shown, and some of those to come, start and end meanwhile.
    for (const record of [...waiting].filter((_, index) => index % 3 === 0)) {
      waiting.delete(record);
      await store.activations.finish({
        ...record,
        status: "success",
        end_ms: START_MS + 99,
      } as TerminalRecord);
    }
  } while (cursor !== undefined);
  assert.equal(new Set(seen).size, seen.length, "none twice");
  assert.deepEqual(new Set(seen), all);
});

test("a cursor stays within its bound, however many were queued in one moment", async () => {
  await using store = await createSqliteStore({ path: ":memory:" });
  const all = Array.from({ length: 400 }, () => recordAt(0));
  let waiting = all;
  const queued = queueOf(() => waiting);
  const list = (cursor?: string) =>
    listActivations({ store, queued }, { tenant: "t_default" }, { limit: 90, cursor });
  const first = await list();
  // All of them start between the two pages.
  waiting = [];
  for (const record of all) {
    await store.activations.finish({
      ...record,
      status: "success",
      end_ms: START_MS + 9,
      duration_ms: 1,
    } as TerminalRecord);
  }
  const seen = first.items.map(({ activation_id: id }) => id);
  for (let cursor = first.next_cursor; cursor !== null;) {
    assert.ok(cursor.length <= LIMITS.cursorLengthMax, `${cursor.length} characters`);
    const page = await list(cursor);
    seen.push(...page.items.map(({ activation_id: id }) => id));
    cursor = page.next_cursor;
  }
  assert.equal(new Set(seen).size, all.length, "none is lost");
});

test("a queue that looks at a few at a time gives short pages, and in the end all in their order", async () => {
  await using store = await createSqliteStore({ path: ":memory:" });
  const records = Array.from({ length: 90 }, (_, n) => recordAt(Math.floor(n / 4)));
  // The queue passes every second of those it looks at by, as one does for a filter.
  const waiting = records.filter((_, n) => n % 3 !== 0);
  const stored = records.filter((_, n) => n % 3 === 0);
  for (const record of stored) {
    await store.activations.finish({ ...record, status: "success", end_ms: START_MS + 99 } as TerminalRecord);
  }
  for (const looksMax of [1, 2, 3, 10]) {
    const queued = queueOf(() => waiting, looksMax);
    const seen: ActivationRecord[] = [];
    let cursor: string | undefined;
    for (let pages = 0; pages < 500; pages++) {
      const page = await listActivations({ store, queued }, { tenant: "t_default" }, { limit: 7, cursor });
      seen.push(...page.items);
      cursor = page.next_cursor ?? undefined;
      if (cursor === undefined) break;
    }
    assert.equal(cursor, undefined, "the list ends");
    const moments = seen.map((record) => record.enqueued_at_ms);
    const inOrder = moments.toSorted((a, b) => b - a);
    assert.deepEqual(moments, inOrder, `${looksMax} at a time`);
    const ids = new Set(seen.map((record) => record.activation_id));
    assert.equal(ids.size, seen.length, "none twice");
    for (const record of stored) assert.ok(ids.has(record.activation_id), "none of the store is lost");
    const passedBy = waiting.filter((record) => !ids.has(record.activation_id));
    assert.ok(passedBy.length <= waiting.length / 2, `${passedBy.length} were passed by`);
  }
});

test("what waits for longer than stored ones that are still to come is shown after them", async () => {
  await using store = await createSqliteStore({ path: ":memory:" });
  const records = Array.from({ length: 80 }, (_, n) => recordAt(n));
  // The newest wait, then come some that have ended, and the oldest wait for another attempt.
  const waiting = new Set(records.filter((_, n) => n < 20 || n >= 50));
  const end = (record: ActivationRecord): Promise<boolean> =>
    store.activations.finish({ ...record, status: "success", end_ms: START_MS + 99 } as TerminalRecord);
  for (const record of records.slice(20, 50)) await end(record);
  const queued = queueOf(() => waiting);
  const seen: ActivationRecord[] = [];
  let cursor: string | undefined;
  do {
    const page = await listActivations({ store, queued }, { tenant: "t_default" }, { limit: 10, cursor });
    seen.push(...page.items);
    cursor = page.next_cursor ?? undefined;
    // Of those that were shown some start and end meanwhile.
    for (const record of page.items.slice(-3)) {
      if (waiting.delete(record)) await end(record);
    }
  } while (cursor !== undefined);
  const ids = seen.map((record) => record.activation_id);
  assert.deepEqual(
    ids,
    records.map((record) => record.activation_id).toReversed(),
    "all of them, once, newest first",
  );
});

import assert from "node:assert/strict";
import test from "node:test";
import { type BatchBounds, type Held, MessageBuffer } from "./message-buffer.ts";

const BOUNDS: BatchBounds = { size: 3, bytes: 100, windowMs: 0, attemptsMax: 3 };
let places = 0;
const held = (id: string, more: Partial<Held> = {}): Held => ({
  message: { id, attempt: 1, json: "{}", match: {} },
  place: places++,
  key: undefined,
  bytes: 10,
  readAtMs: 0,
  attempt: 1,
  tries: 1,
  alone: false,
  dueAtMs: 0,
  ...more,
});

const taken = (buffer: MessageBuffer, nowMs = 0, noMore = false): Held[] => {
  const result = buffer.take(nowMs, noMore);
  return "batch" in result ? result.batch : [];
};
const ids = (batch: readonly Held[]): string => batch.map(({ message }) => message.id).join("");

function filled(bounds: Partial<BatchBounds>, messages: readonly Held[]): MessageBuffer {
  const buffer = new MessageBuffer({ ...BOUNDS, ...bounds });
  for (const message of messages) buffer.add(message);
  return buffer;
}

test("batches are filled in order up to their size, and up to their bytes", () => {
  const buffer = filled(
    {},
    ["a", "b", "c", "d"].map((id) => held(id)),
  );
  assert.deepEqual([ids(taken(buffer)), ids(taken(buffer)), ids(taken(buffer))], ["abc", "d", ""]);
  const heavy = filled({}, [held("a", { bytes: 60 }), held("b", { bytes: 60 }), held("c", { bytes: 500 })]);
  assert.deepEqual([ids(taken(heavy)), ids(taken(heavy)), ids(taken(heavy))], ["a", "b", "c"]);
});

test("a batch that is not full waits for its window, unless nothing more can come", () => {
  const buffer = filled({ windowMs: 50 }, [held("a"), held("b")]);
  assert.deepEqual(buffer.take(10, false), { askAtMs: 50 });
  buffer.add(held("c"));
  assert.equal(ids(taken(buffer, 10)), "abc");
  buffer.add(held("d", { readAtMs: 10 }));
  assert.equal(ids(taken(buffer, 59)), "");
  assert.equal(ids(taken(buffer, 60)), "d");
  buffer.add(held("e", { readAtMs: 60 }));
  assert.equal(ids(taken(buffer, 61, true)), "e");
});

test("messages of one key go together or wait, those of others pass them", () => {
  const k = { key: "k" };
  const buffer = filled({ size: 2 }, [
    held("a", k),
    held("b", k),
    held("c", k),
    held("d", { key: "x" }),
    held("e"),
  ]);
  const first = taken(buffer);
  assert.equal(ids(first), "ab");
  assert.equal(ids(taken(buffer)), "de");
  assert.equal(ids(taken(buffer)), "", "c waits for a and b");
  buffer.end(first);
  assert.equal(ids(taken(buffer)), "c");
});

test("what failed comes back to its place, and holds up its key until it is due", () => {
  const k = { key: "k" };
  const buffer = filled({ size: 1 }, [held("a", k), held("b", k), held("c", { key: "x" })]);
  const [a] = taken(buffer);
  assert.ok(a);
  a.dueAtMs = 100;
  buffer.putBack([a]);
  assert.equal(ids(taken(buffer)), "c");
  assert.deepEqual(buffer.take(50, false), { askAtMs: 100 });
  assert.equal(ids(taken(buffer, 100)), "a");
});

test("a message that is to run alone does, and those of a last attempt make a batch of their own", () => {
  const buffer = filled({}, [
    held("a"),
    held("b", { alone: true, attempt: 2 }),
    held("c", { attempt: 3 }),
    held("d"),
  ]);
  assert.equal(ids(taken(buffer)), "ad");
  assert.equal(ids(taken(buffer)), "b");
  assert.equal(ids(taken(buffer)), "c");
});

test("removing takes only what waits", () => {
  const buffer = filled({ size: 1 }, [held("a"), held("b"), held("c")]);
  taken(buffer);
  assert.equal(ids(buffer.remove(({ message }) => message.id !== "c")), "b");
  assert.equal(buffer.size, 2);
});

test("whatever fails, messages of one key run one at a time and in order", () => {
  let seed = 11;
  const random = (below: number): number =>
    ((seed = (Math.imul(seed, 48_271) >>> 0) % 2_147_483_647) >>> 4) % below;
  for (let round = 0; round < 200; round++) {
    const buffer = new MessageBuffer({
      size: 1 + random(4),
      bytes: 1000,
      windowMs: random(2) * 10,
      attemptsMax: 0,
    });
    const done = new Map<string, number>();
    const out: Held[][] = [];
    let nowMs = 0;
    for (let at = 0; at < 60; at++) buffer.add(held(String(at), { key: String(random(4)), place: at }));
    for (let step = 0; buffer.size > 0; step++) {
      assert.ok(step < 5000, "it comes to an end");
      const result = buffer.take(nowMs, true);
      if ("batch" in result) {
        const keys = new Set(result.batch.map(({ key }) => key));
        assert.ok(
          !out.some((other) => other.some(({ key }) => keys.has(key))),
          "one call at a time of a key",
        );
        out.push(result.batch);
      }
      const ending = out.length > 2 || random(2) === 0 ? out.splice(random(out.length), 1)[0] : undefined;
      if (ending !== undefined) {
        const failsAt = random(3) === 0 ? random(ending.length) : ending.length;
        const failed = ending.slice(failsAt);
        for (const { key = "", place } of ending.slice(0, failsAt)) {
          assert.ok((done.get(key) ?? -1) < place, "in order");
          done.set(key, place);
        }
        for (const each of failed) each.dueAtMs = nowMs + random(20);
        buffer.putBack(failed);
        buffer.end(ending.slice(0, failsAt));
      }
      nowMs += random(5);
    }
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { LaneRooms } from "./lane-rooms.ts";

function rooms(first = Infinity) {
  let nowMs = 1000;
  const all = new LaneRooms(() => nowMs, first);
  return { all, later: (ms: number) => void (nowMs += ms), of: () => Object.fromEntries(pairsOf(all)) };
}

const pairsOf = (all: LaneRooms): [string, number][] => {
  const flat = all.bounds();
  return Array.from({ length: flat.length / 2 }, (_, at) => [String(flat[2 * at]), Number(flat[2 * at + 1])]);
};

test("a lane nothing was refused of has no bound", () => {
  const { all, of } = rooms();
  all.taken("a");
  assert.deepEqual(of(), {});
});

test("a refused lane is left out until it is woken, and then as much is taken as fitted before", () => {
  const { all, of } = rooms();
  for (let count = 0; count < 3; count++) all.taken("a");
  all.refused("a");
  assert.deepEqual(of(), { a: 0 });
  assert.equal(all.ended("a"), false, "parked: only the consumer knows when it takes more");
  all.wake("a");
  assert.deepEqual(of(), { a: 1 });
  all.taken("a");
  assert.deepEqual(of(), { a: 0 });
  assert.equal(all.ended("a"), true, "there is room for one again");
});

test("after a while twice as many are tried", () => {
  const { all, of, later } = rooms();
  for (let count = 0; count < 4; count++) all.taken("a");
  all.refused("a");
  all.wake("a");
  assert.deepEqual(of(), { a: 1 }, "woken with four held it takes a fifth");
  later(1000);
  assert.deepEqual(of(), { a: 4 });
});

test("a lane with several places that takes one more takes as many from then on, one with a single place does not", () => {
  const { all, of } = rooms();
  for (const lane of ["many", "many", "one"]) all.taken(lane);
  for (const lane of ["many", "one"]) {
    all.refused(lane);
    all.wake(lane);
    all.taken(lane);
  }
  assert.deepEqual(of(), { many: 0, one: 0 });
  all.ended("many");
  all.ended("one");
  assert.deepEqual(of(), { many: 1, one: 0 });
});

test("a refusal with nothing held says nothing of how much fits", () => {
  const { all, of } = rooms();
  all.refused("a");
  assert.deepEqual(of(), { a: 0 });
  all.wake("a");
  assert.deepEqual(of(), {});
});

test("one wake without a lane forgets all bounds; another first message only ends the refusal", () => {
  const { all, of } = rooms();
  for (const lane of ["a", "b"]) {
    all.taken(lane);
    all.refused(lane);
  }
  all.ended("a");
  all.unpark("a");
  all.unpark("b");
  assert.deepEqual(of(), { a: 1, b: 0 });
  all.wakeAll();
  assert.deepEqual(of(), {});
});

test("of a lane that takes one at a time no more is taken after each, until it has been idle for a while", () => {
  const { all, of, later } = rooms();
  all.taken("a");
  all.refused("a");
  for (let count = 0; count < 3; count++) {
    // It says that it is done before it says how it ended.
    all.wake("a");
    assert.deepEqual(of(), { a: 1 });
    all.taken("a");
    assert.deepEqual(of(), { a: 0 });
    assert.equal(all.ended("a"), true);
    assert.deepEqual(of(), { a: 0 });
  }
  all.ended("a");
  assert.deepEqual(of(), { a: 1 });
  later(999);
  assert.deepEqual(of(), { a: 1 });
  later(1);
  assert.deepEqual(of(), {});
});

test("of a lane of which nothing is known a few are risked, then twice as many as it was once found to take", () => {
  const { all, of, later } = rooms(1);
  assert.equal(all.room("a"), 1);
  const risked: number[] = [];
  for (let round = 0; round < 4; round++) {
    for (let left = all.room("a"); left > 0; left--) all.taken("a");
    all.accepted("a");
    risked.push(all.room("a"));
  }
  assert.deepEqual(risked, [1, 2, 4, 8]);
  assert.deepEqual(of(), { a: 8 });
  for (let left = 8; left > 0; left--) assert.equal(all.ended("a"), false, "it was never held back");
  later(999);
  assert.deepEqual(of(), { a: 16 }, "an idle lane is known for a while");
  later(1);
  assert.deepEqual(of(), {});
  assert.equal(all.room("a"), 1);
});

test("a lane that took one at a time is risked one again at once, and nothing is kept of it", () => {
  const { all, of } = rooms(1);
  all.taken("a");
  all.accepted("a");
  all.ended("a");
  assert.deepEqual(of(), {});
  assert.equal(all.room("a"), 1);
});

test("what was taken and not wanted counts until its end is said", () => {
  const { all, of } = rooms(1);
  all.taken("a");
  assert.deepEqual(of(), { a: 0 });
  assert.equal(all.ended("a"), true);
});

test("of what was sent behind a refused message nothing counts as fitting", () => {
  const { all, of } = rooms();
  const which = [1, 2, 3, 4, 5].map(() => all.taken("a"));
  all.refused("a", which[2]);
  all.wake("a");
  for (const _ of [3, 4, 5]) all.ended("a");
  assert.deepEqual(of(), { a: 1 });
  all.taken("a");
  all.ended("a");
  all.ended("a");
  all.ended("a");
  assert.equal(all.room("a"), 3);
  const [only] = [all.taken("b")];
  all.refused("b", only);
  all.ended("b");
  all.wake("b");
  assert.equal(all.room("b"), Infinity, "with none before it nothing was learned");
});

test("who asks for one lane at a time hears of a bound no longer than who asks for all", () => {
  const { all, later } = rooms();
  all.taken("a");
  all.refused("a");
  all.wake("a");
  all.ended("a");
  assert.equal(all.room("a"), 1);
  later(1000);
  assert.equal(all.room("a"), Infinity);
});

test("a sweep names lanes that have been full for a while, so that more is tried though nothing of them ends", () => {
  const { all, later } = rooms();
  for (const lane of ["full", "parked", "roomy", "roomy"]) all.taken(lane);
  for (const lane of ["full", "parked", "roomy"]) all.refused(lane);
  for (const lane of ["full", "roomy"]) all.unpark(lane);
  all.ended("roomy");
  assert.deepEqual(all.sweep(), []);
  later(1000);
  assert.deepEqual(all.sweep(), ["full"]);
  assert.equal(all.room("full"), 1);
});

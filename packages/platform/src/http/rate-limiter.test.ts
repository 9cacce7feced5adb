import assert from "node:assert/strict";
import test from "node:test";
import { createRateLimiter } from "./rate-limiter.ts";

test("a bucket gives its burst at once, then its rate, and says how long to wait", () => {
  let nowMs = 1000;
  const limiter = createRateLimiter({ ratePerSecond: 2, burst: 3, clock: () => nowMs });
  assert.deepEqual([limiter.take("a"), limiter.take("a"), limiter.take("a")], [true, true, true]);
  assert.equal(limiter.take("a"), 0.5);
  assert.equal(limiter.take("b"), true, "keys do not share");
  nowMs += 499;
  assert.notEqual(limiter.take("a"), true);
  nowMs += 1;
  assert.equal(limiter.take("a"), true);
  nowMs += 3_600_000;
  for (let index = 0; index < 3; index++) assert.equal(limiter.take("a"), true);
  assert.notEqual(limiter.take("a"), true, "an hour fills no more than the burst");
});

test("a clock that is set back neither blocks nor gives for free", () => {
  let nowMs = 1_000_000;
  const limiter = createRateLimiter({ ratePerSecond: 1, burst: 1, clock: () => nowMs });
  assert.equal(limiter.take("a"), true);
  nowMs = 0;
  assert.notEqual(limiter.take("a"), true);
  nowMs = 1000;
  assert.equal(limiter.take("a"), true);
});

test("rates below one a second work", () => {
  let nowMs = 0;
  const limiter = createRateLimiter({ ratePerSecond: 0.1, clock: () => nowMs });
  assert.equal(limiter.take("a"), true);
  assert.equal(limiter.take("a"), 10);
  nowMs = 10_000;
  assert.equal(limiter.take("a"), true);
});

test("the limiter forgets the key used longest ago when it is full", () => {
  const limiter = createRateLimiter({ ratePerSecond: 1, burst: 1, clock: () => 0, maxKeys: 2 });
  limiter.take("a");
  limiter.take("b");
  limiter.take("a");
  limiter.take("c");
  assert.notEqual(limiter.take("a"), true, "a was used lately and is remembered");
  assert.equal(limiter.take("b"), true, "b was forgotten");
});

test("a limit that is shared gives its part of burst and rate, from the moment the number changes", () => {
  let nowMs = 0;
  let sharers = 1;
  const limiter = createRateLimiter({ ratePerSecond: 8, clock: () => nowMs, sharers: () => sharers });
  const taken = (): number => {
    let count = 0;
    while (limiter.take("a") === true) count++;
    return count;
  };
  assert.equal(taken(), 8);
  nowMs += 1000;
  sharers = 4;
  assert.equal(taken(), 2, "what came back before is no more than the part");
  assert.equal(limiter.take("a"), 0.5, "two a second");
  nowMs += 500;
  assert.equal(taken(), 1);
  sharers = 1;
  nowMs += 1000;
  assert.equal(taken(), 8);
  sharers = 100;
  nowMs += 12_500;
  assert.equal(taken(), 1, "one at once, however small the part");
});

import assert from "node:assert/strict";
import test from "node:test";
import { LIMITS } from "@sous/contract";
import { EndWaiters } from "./end-waiters.ts";

test("everybody who waits for an end is told once, and nobody else", () => {
  const waiters = new EndWaiters();
  const told: string[] = [];
  waiters.add("a", () => told.push("first"));
  waiters.add("a", () => told.push("second"));
  waiters.add("b", () => told.push("other"));
  waiters.tell("a");
  waiters.tell("a");
  assert.deepEqual(told, ["first", "second"]);
  assert.equal(waiters.size, 1);
});

test("who stopped waiting is not told", () => {
  const waiters = new EndWaiters();
  const stop = waiters.add("a", () => assert.fail("told"));
  stop?.();
  stop?.();
  waiters.tell("a");
  assert.equal(waiters.size, 0);
});

test("no more wait than may", () => {
  const waiters = new EndWaiters();
  const stops = Array.from({ length: LIMITS.activationWaitersMax }, (_, at) =>
    waiters.add(`${at}`, () => {}),
  );
  assert.equal(
    waiters.add("more", () => {}),
    undefined,
  );
  stops[0]?.();
  assert.notEqual(
    waiters.add("more", () => {}),
    undefined,
  );
  assert.equal(
    waiters.add("and more", () => {}),
    undefined,
  );
  waiters.tell("more");
  assert.notEqual(
    waiters.add("and more", () => {}),
    undefined,
  );
});

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import test from "node:test";
import { Gate } from "./gate.ts";

const never = new AbortController().signal;

test("places are handed on as they come free, and more when the bound grows", async () => {
  const gate = new Gate(1);
  assert.equal(await gate.acquire(never), true);
  const got: number[] = [];
  const waiting = [1, 2, 3].map((n) => gate.acquire(never).then(() => got.push(n)));
  await Promise.resolve();
  assert.deepEqual([got.length, gate.inUse], [0, 1]);
  gate.release();
  await Promise.race(waiting);
  assert.deepEqual([got.length, gate.inUse], [1, 1]);
  gate.setMax(3);
  await Promise.all(waiting);
  assert.equal(gate.inUse, 3);
});

test("whoever stops waiting has no place", async () => {
  const gate = new Gate(1);
  gate.take();
  const stopping = new AbortController();
  const waiting = gate.acquire(stopping.signal);
  stopping.abort();
  assert.equal(await waiting, false);
  assert.equal(await gate.acquire(stopping.signal), false);
  assert.equal(gate.inUse, 1);
});

test("work that is there already takes a place past the bound", async () => {
  const gate = new Gate(1);
  gate.take();
  gate.take();
  gate.release();
  const waiting = gate.acquire(never);
  assert.equal(gate.inUse, 1);
  gate.release();
  assert.equal(await waiting, true);
});

test("whoever has waited, for a place or in vain, listens to the signal no more", async () => {
  const gate = new Gate(1);
  const stopping = new AbortController();
  const listeners = (): number => getEventListeners(stopping.signal, "abort").length;
  gate.take();
  for (let round = 0; round < 5; round++) {
    const waiting = gate.acquire(stopping.signal);
    assert.equal(listeners(), 1);
    gate.release();
    assert.equal(await waiting, true);
    assert.equal(listeners(), 0);
  }
  const inVain = gate.acquire(stopping.signal);
  stopping.abort();
  assert.equal(await inVain, false);
  assert.equal(listeners(), 0);
});

test("a place that comes free goes to the one who waits longest, and those who gave up get none", async () => {
  const gate = new Gate(1);
  gate.take();
  const stopping = new AbortController();
  const got: string[] = [];
  const wait = (name: string, signal: AbortSignal) =>
    gate.acquire(signal).then((has) => has && got.push(name));
  const waiting = [wait("a", stopping.signal), wait("b", never), wait("c", never)];
  stopping.abort();
  gate.release();
  // Who comes now stands behind those who wait.
  const late = wait("d", never);
  gate.release();
  gate.release();
  await Promise.all([...waiting, late]);
  assert.deepEqual([got, gate.inUse], [["b", "c", "d"], 1]);
});

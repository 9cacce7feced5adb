import assert from "node:assert/strict";
import test from "node:test";
import { createVirtualTime } from "../contract/virtual-time.ts";
import { type Leased, LeaseWheel } from "./lease-wheel.ts";

interface Lease extends Leased<Lease> {
  name: string;
}

const lease = (name: string, leaseUntilMs: number): Lease => ({
  name,
  leaseUntilMs,
  bucket: null,
  previous: null,
  next: null,
});

function wheelAt(startMs: number) {
  const time = createVirtualTime(startMs);
  let shiftMs = 0;
  const lost: string[] = [];
  const wheel = new LeaseWheel<Lease>({
    clock: () => time.clock() + shiftMs,
    setTimer: time.setTimer,
    tickMs: 100,
    onLost: ({ name }) => lost.push(name),
  });
  const shift = (ms: number): void => {
    shiftMs += ms;
  };
  return { time, wheel, lost, shift };
}

test("a lease is lost at most one tick after its end, never before", () => {
  const { time, wheel, lost } = wheelAt(1000);
  wheel.add(lease("a", 1450), 1000);
  wheel.add(lease("b", 1500), 1000);
  time.advance(450);
  assert.deepEqual(lost, []);
  time.advance(50);
  assert.deepEqual(lost, ["a"]);
  time.advance(100);
  assert.deepEqual(lost, ["a", "b"]);
  assert.equal(time.armed, 0, "the wheel rests");
});

test("a removed lease is not lost, and the wheel starts again after a rest", () => {
  const { time, wheel, lost } = wheelAt(1000);
  const gone = lease("gone", 1200);
  wheel.add(gone, 1000);
  wheel.remove(gone);
  wheel.remove(gone);
  time.advance(5000);
  wheel.add(lease("later", 6300), 6000);
  time.advance(1000);
  assert.deepEqual(lost, ["later"]);
});

test("a clock set back or far ahead loses no lease for ever", () => {
  const { time, wheel, lost, shift } = wheelAt(1_000_000);
  wheel.add(lease("before", 1_000_500), 1_000_000);
  time.advance(300);
  shift(-200_000);
  wheel.add(lease("behind", 801_000), 800_300);
  shift(200_000);
  time.advance(1000);
  assert.deepEqual(lost.sort(), ["before", "behind"]);
  wheel.add(lease("far", 1_002_000), 1_001_300);
  shift(365 * 86_400_000);
  time.advance(200);
  assert.deepEqual(lost, ["before", "behind", "far"]);
});

test("losing one lease may end another of the same moment", () => {
  const time = createVirtualTime(0);
  const [one, two] = [lease("one", 50), lease("two", 50)];
  const lost: string[] = [];
  const wheel: LeaseWheel<Lease> = new LeaseWheel<Lease>({
    clock: time.clock,
    setTimer: time.setTimer,
    tickMs: 100,
    onLost: ({ name }) => {
      lost.push(name);
      wheel.remove(two);
    },
  });
  wheel.add(one, 0);
  wheel.add(two, 0);
  time.advance(200);
  assert.deepEqual(lost, ["one"]);
});

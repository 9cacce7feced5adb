import assert from "node:assert/strict";
import test from "node:test";
import { jitterMs } from "./jitter.ts";

const UID = "0b0f3c5e-9a70-4b4e-8a5c-3f1f4f2f6a01";

test("the jitter of a tick is the same whoever asks, and within its bound", () => {
  const all = Array.from({ length: 10_000 }, (_, seq) => jitterMs(UID, seq, 10));
  assert.deepEqual(
    all,
    Array.from({ length: 10_000 }, (_, seq) => jitterMs(UID, seq, 10)),
  );
  assert.ok(Math.min(...all) >= 0 && Math.max(...all) <= 10_000);
  const mean = all.reduce((sum, ms) => sum + ms, 0) / all.length;
  assert.ok(Math.abs(mean - 5000) < 200, `spread evenly, mean ${mean}`);
  assert.equal(jitterMs(UID, 1, 0), 0);
});

test("schedules of the same moment are spread apart", () => {
  const uids = Array.from({ length: 1000 }, (_, n) => UID.replace(/01$/, String(n).padStart(4, "0")));
  const tenths = new Set(uids.map((uid) => Math.floor(jitterMs(uid, 7, 10) / 1000)));
  assert.equal(tenths.size >= 10, true);
});

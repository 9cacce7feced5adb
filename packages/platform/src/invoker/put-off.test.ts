import assert from "node:assert/strict";
import { test } from "node:test";
import type { Invocation } from "@sous/contract";
import { putOffMs } from "./put-off.ts";

test("work that could not begin is tried again soon, and less often the longer that goes on", () => {
  const nowMs = 1_000_000;
  const waited = (ms: number, due_at_ms?: number): number =>
    putOffMs(
      { enqueued_at_ms: nowMs - ms, ...(due_at_ms === undefined ? {} : { due_at_ms }) } as Invocation,
      nowMs,
    );
  assert.deepEqual(
    [0, 5000, 30_000, 3_600_000].map((ms) => waited(ms)),
    [1000, 1000, 3000, 10_000],
  );
  assert.equal(waited(3_600_000, nowMs - 20_000), 2000, "a delayed call has waited since it was due");
});

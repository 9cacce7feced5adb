import assert from "node:assert/strict";
import { test } from "node:test";
import { createSqliteStore } from "@sous/store";
import { LiveActivation } from "../activations/live-activation.ts";
import { sampleInvocation } from "../activations/testing/sample-invocation.ts";
import { queuedAgain, writeQueuedAgain } from "./queued-again.ts";
import { unrun } from "./unrun.ts";

const invocation = sampleInvocation();

test("an attempt that failed has its record, also where that it began was never written", async () => {
  await using store = await createSqliteStore({ path: ":memory:" });
  const live = new LiveActivation(invocation, 1, "isolate");
  const meter = { writeRefused: () => assert.fail("nothing is lost") };
  const outcome = unrun({ type: "SandboxCrashed", message: "it ended" });
  const { tenant, activation_id: id } = invocation;
  for (const _time of ["first", "again"]) {
    const record = queuedAgain(live, outcome, 1_780_000_001_000);
    await writeQueuedAgain({ store, meter }, live, record);
    const stored = await store.activations.get(tenant, id);
    assert.deepEqual([stored?.status, stored?.attempt], ["queued", 2]);
    assert.deepEqual(
      stored?.attempts.map(({ attempt, error }) => [attempt, error?.type]),
      [[1, "SandboxCrashed"]],
    );
  }
  const ended = new LiveActivation({ ...invocation, attempt: 2 }, 1, "isolate").terminal(
    outcome,
    1_780_000_002_000,
  );
  assert.ok(await store.activations.finish(ended));
  await writeQueuedAgain({ store, meter }, live, queuedAgain(live, outcome, 1_780_000_003_000));
  assert.equal((await store.activations.get(tenant, id))?.status, "error", "an end stays");
});

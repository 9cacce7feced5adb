import assert from "node:assert/strict";
import test from "node:test";
import { runGuest } from "./testing/run-guest.ts";
import { WARM_UP_CONTEXT_JSON, WARM_UP_EVENT_JSON, WARM_UP_MODULE } from "./warm-up.ts";

test("the warm-up replies in both styles and touches the parts functions use", async () => {
  const loads = new Set<string>();
  for (const handler of ["handle", "default"]) {
    const context = JSON.parse(WARM_UP_CONTEXT_JSON) as object;
    const run = await runGuest(WARM_UP_MODULE, { handler, context, event: JSON.parse(WARM_UP_EVENT_JSON) });
    assert.equal(run.ending.kind, "reply", JSON.stringify(run.ending));
    assert.equal(run.endings, 1);
    for (const part of run.loads) loads.add(part);
  }
  assert.deepEqual([...loads].toSorted(), ["bytes", "clone", "crypto", "events", "fetch", "streams", "url"]);
});

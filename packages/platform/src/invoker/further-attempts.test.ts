import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleInvocation } from "../activations/testing/sample-invocation.ts";
import { hasFurtherAttempt } from "./further-attempts.ts";

test("an attempt that would be due when its work is too old is none", () => {
  const retry = { max_attempts: 3, backoff_ms: 1000, backoff_max_ms: 60_000, max_age_ms: 10_000 };
  const invocation = sampleInvocation({ expires_at_ms: 10_000 });
  assert.equal(hasFurtherAttempt(invocation, "Exception", retry, 9999), true);
  assert.equal(hasFurtherAttempt(invocation, "Exception", retry, 10_000), false);
});

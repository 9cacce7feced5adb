import assert from "node:assert/strict";
import test from "node:test";
import { ERROR_CATALOGUE } from "./errors.ts";
import { ERROR_TYPES } from "./invocation.ts";
import { errorCodeOf, isRetryable } from "./outcome-codes.ts";

test("every way a function fails has a code of the catalogue", () => {
  for (const type of ERROR_TYPES) assert.ok(Object.hasOwn(ERROR_CATALOGUE, errorCodeOf(type)), type);
});

test("only failures that may pass are tried again (SPEC 15)", () => {
  assert.deepEqual(ERROR_TYPES.filter(isRetryable), [
    "Timeout",
    "MemoryLimit",
    "Exception",
    "SandboxCrashed",
  ]);
});

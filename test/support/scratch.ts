import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** Makes an empty folder that goes away with its scope. */
export function scratchFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "sous-test-"));
  return {
    path,
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }),
  };
}

/**
 * Skips a test whose means are missing here, or fails it where everything is required
 * (`SOUS_TEST_REQUIRE=all`): a skip must not pass for a proof.
 */
export function skipUnlessRequired(context: TestContext, reason: string): void {
  assert.notEqual(process.env["SOUS_TEST_REQUIRE"], "all", `required, but ${reason}`);
  context.skip(reason);
}

/** A small seeded generator (mulberry32), so that a failing run can be repeated. @returns numbers in [0, 1) */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

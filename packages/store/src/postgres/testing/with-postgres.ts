import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { missingPostgres } from "../../testing/index.ts";

/**
 * Declares tests that need a PostgreSQL server: they are skipped where there is none, saying how to get one, or fail
 * where everything is required (`SOUS_TEST_REQUIRE=all`).
 */
export function describeWithPostgres(name: string, body: () => void): void {
  const missing = missingPostgres();
  if (missing === undefined) {
    describe(name, body);
    return;
  }
  test(name, (context) => {
    assert.notEqual(process.env["SOUS_TEST_REQUIRE"], "all", `required, but ${missing}`);
    context.skip(missing);
  });
}

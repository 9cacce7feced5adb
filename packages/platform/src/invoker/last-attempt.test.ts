import assert from "node:assert/strict";
import { test } from "node:test";
import type { SandboxOutcome } from "@sous/sandbox";
import { endOfLastAttempt } from "./last-attempt.ts";
import { unrun } from "./unrun.ts";

const outcomeOf = (body: string): SandboxOutcome => {
  const { error: _none, ...outcome } = unrun({ type: "Expired", message: "" });
  return {
    ...outcome,
    status: "success",
    result: { statusCode: 200, headers: {}, body, isBase64Encoded: false },
  };
};

const reportOf = (...ids: string[]): string =>
  JSON.stringify({ batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) });

/** @returns how the last attempt of so many messages ends */
function statusOf(body: string, messages: number, source: Record<string, unknown> = {}): string {
  const trigger = { type: "event", source: { ...source, messages } } as const;
  return endOfLastAttempt(outcomeOf(body), { trigger }).status;
}

test("a last attempt fails where the function reports all of it, and is its source's to judge where it reports some", () => {
  assert.equal(statusOf(reportOf(), 2), "success");
  assert.equal(statusOf(reportOf("a"), 1), "error");
  assert.equal(statusOf(reportOf("a"), 2), "success");
  assert.equal(statusOf(reportOf("a", "a"), 2), "success");
  assert.equal(statusOf(reportOf("a", "b"), 2), "error");
});

test("an answer that makes no sense fails all of it", () => {
  assert.equal(statusOf('{"batchItemFailures": "a"}', 2), "error");
});

test("of what was put back no source hears: any item that failed fails it", () => {
  assert.equal(statusOf(reportOf("a"), 2, { redriven_from: "before" }), "error");
});

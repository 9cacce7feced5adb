import type { SandboxOutcome } from "@sous/sandbox";
import { reportedFailures } from "../activations/reported-failures.ts";

/** @returns the outcome of a message's last attempt: what the function only reports as failed has failed */
export function endOfLastAttempt(outcome: SandboxOutcome): SandboxOutcome {
  if (outcome.status !== "success") return outcome;
  const reported = reportedFailures(outcome.result);
  if (reported !== "malformed" && reported.failed.length === 0) return outcome;
  const message =
    reported === "malformed"
      ? "the function answered with batchItemFailures that are none"
      : `the function reported ${reported.failed.join(", ").slice(0, 500)} as failed`;
  return { ...outcome, status: "error", error: { type: "Exception", message } };
}

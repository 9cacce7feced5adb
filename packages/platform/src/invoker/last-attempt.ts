import type { Invocation } from "@sous/contract";
import type { SandboxOutcome } from "@sous/sandbox";
import { reportedFailures } from "../activations/reported-failures.ts";

/**
 * @returns the outcome of a batch's last attempt: what the function only reports as failed has failed. A report of some
 * messages of several is an end that went well: their source judges each, and runs those alone that failed.
 */
export function endOfLastAttempt(
  outcome: SandboxOutcome,
  { trigger }: Pick<Invocation, "trigger">,
): SandboxOutcome {
  if (outcome.status !== "success") return outcome;
  const reported = reportedFailures(outcome.result);
  if (reported !== "malformed" && reported.failed.length === 0) return outcome;
  const { messages, redriven_from } = trigger.source;
  // Of what was put back from the dead letters no source hears.
  const isJudged = redriven_from === undefined && typeof messages === "number";
  if (reported !== "malformed" && isJudged && new Set(reported.failed).size < messages) return outcome;
  const message =
    reported === "malformed"
      ? "the function answered with batchItemFailures that are none"
      : `the function reported ${reported.failed.join(", ").slice(0, 500)} as failed`;
  return { ...outcome, status: "error", error: { type: "Exception", message } };
}

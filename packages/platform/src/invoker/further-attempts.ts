import type { Invocation } from "@sous/contract";
import type { TerminalRecord } from "@sous/store";

/** Of a Cadence workflow, which alone decides about another attempt. */
export const isActivity = ({ trigger }: Invocation): boolean => trigger.type === "cadence";

/** @returns whether somebody else than the queue decides about another attempt */
export const isTriedElsewhere = (invocation: Invocation): boolean =>
  isActivity(invocation) || invocation.source_attempt !== undefined;

/** @returns whether a failure for good is kept in the dead-letter queue */
export const leavesDeadLetter = (invocation: Invocation): boolean =>
  invocation.mode === "async" && !isActivity(invocation) && invocation.source_attempt !== "more";

/** @returns what a dead letter says of its last attempt */
export const deadReason = (record: TerminalRecord): string =>
  `attempt ${record.attempt}: ${record.error?.type ?? record.status}: ${record.error?.message ?? ""}`.slice(
    0,
    1000,
  );

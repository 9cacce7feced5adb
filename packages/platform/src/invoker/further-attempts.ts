import {
  type ActivationRecord,
  type FunctionErrorType,
  type Invocation,
  isRetryable,
  type VersionConfig,
  type VersionRecord,
} from "@sous/contract";

const REASON_LENGTH_MAX = 1000;

/** Of a Cadence workflow, which alone decides about another attempt. */
const isActivity = ({ trigger }: Invocation): boolean => trigger.type === "cadence";

/** @returns until when an attempt of asynchronous work that begins now may run, epoch milliseconds */
export function attemptDeadline(invocation: Invocation, { config }: VersionRecord, nowMs: number): number {
  const deadlineMs = nowMs + config.timeout_ms;
  // Cadence does not wait for longer either.
  return isActivity(invocation) ? Math.min(deadlineMs, invocation.expires_at_ms) : deadlineMs;
}

/**
 * @param dueMs when the next attempt would be due, epoch milliseconds
 * @returns whether the queue has it tried again after this failure: not where that would be too old to start
 */
export function hasFurtherAttempt(
  invocation: Invocation,
  error: FunctionErrorType,
  retry: VersionConfig["retry"],
  dueMs: number,
): boolean {
  const { mode, attempt, expires_at_ms } = invocation;
  if (mode !== "async" || isTriedElsewhere(invocation) || !isRetryable(error)) return false;
  return attempt < retry.max_attempts && dueMs < expires_at_ms;
}

/** @returns how long the next attempt waits, in milliseconds: full jitter, by a number of [0, 1) */
export function delayAfter(attempt: number, retry: VersionConfig["retry"], random: number): number {
  const ceiling = Math.min(retry.backoff_max_ms, retry.backoff_ms * 2 ** (attempt - 1));
  return Math.floor(random * ceiling);
}

/** @returns whether somebody else than the queue decides about another attempt */
const isTriedElsewhere = (invocation: Invocation): boolean =>
  isActivity(invocation) || invocation.source_attempt !== undefined;

/** @returns why an end is kept in the dead-letter queue, where it is a failure for good that is kept there */
export function deadLetterReason(invocation: Invocation, record: ActivationRecord): string | undefined {
  const { status, attempt, error } = record;
  const failed = status !== "success" && status !== "cancelled";
  if (!failed || !leavesDeadLetter(invocation)) return undefined;
  return `attempt ${attempt}: ${error?.type ?? status}: ${error?.message ?? ""}`.slice(0, REASON_LENGTH_MAX);
}

const leavesDeadLetter = (invocation: Invocation): boolean =>
  invocation.mode === "async" && !isActivity(invocation) && invocation.source_attempt !== "more";

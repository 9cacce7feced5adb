/** Which queue of Cadence something was about. */
export interface QueueLabels {
  tenant: string;
  domain: string;
  tasklist: string;
}

/** How a task ended for the platform. */
export type TaskOutcome = "completed" | "failed" | "cancelled" | "gone" | "unanswered";

/** What is told of the work for Cadence (SPEC 13). */
export interface CadenceMeter {
  polled(queue: QueueLabels, outcome: "task" | "empty" | "error"): void;
  /** A task is over, so many milliseconds after it was taken. */
  ended(queue: QueueLabels, outcome: TaskOutcome, tookMs: number): void;
  heartbeat(queue: QueueLabels, outcome: "ok" | "cancel" | "gone" | "error"): void;
  /** Something has to be tried again, or was given up. */
  fault(
    code: "CS_CADENCE_POLL_FAILED" | "CS_CADENCE_RESPOND_FAILED" | "CS_CADENCE_HEARTBEAT_FAILED",
    error: unknown,
  ): void;
}

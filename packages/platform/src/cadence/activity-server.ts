/** Where activities are taken from: one queue of a workflow server. */
export interface ActivityQueue {
  /** Cadence: the domain. */
  domain: string;
  /** Cadence: the task list. */
  name: string;
  /** How this worker calls itself. */
  identity: string;
}

/** One attempt of an activity, as the workflow server hands it out. */
export interface ActivityTask {
  /** What the server knows it by; whoever holds it may answer it. */
  token: Uint8Array;
  type: string;
  activityId: string;
  workflowId: string;
  runId: string;
  /** As the workflow sent it. */
  input: Uint8Array;
  /** From 0. */
  attempt: number;
  /** When the server gives the attempt up, counted from its start, milliseconds; 0 for never. */
  startToCloseMs: number;
  /** What the last heartbeat of an earlier attempt said; empty for nothing. */
  heartbeatDetails: Uint8Array;
  /** When it gives the attempt up without a heartbeat, milliseconds; 0 for never. */
  heartbeatTimeoutMs: number;
}

/** Why an activity failed, as the workflow sees it. */
export interface ActivityFailure {
  /** What retry policies and workflows tell apart: `error`, `timeout`. */
  reason: string;
  details: Uint8Array;
}

/** Whether a call to the server is worth another try. */
export type ServerFault =
  /** The attempt is over for the server: answered, timed out, or its workflow has ended. */
  | "gone"
  /** Away, busy, not the active one, or it lets nobody in for now: the same call may work later. */
  | "unavailable"
  /** It does not take the call as it is, and never will. */
  | "refused";

/** What a workflow server answered instead of an answer. */
export class ActivityServerError extends Error {
  readonly fault: ServerFault;
  constructor(fault: ServerFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ActivityServerError";
    this.fault = fault;
  }
}

/**
 * A workflow server as a worker of activities needs it. It knows nothing of functions; Cadence is one driver, and
 * another server is another file. Every method throws `ActivityServerError`.
 */
export interface ActivityServer extends AsyncDisposable {
  /** Waits for a task. @returns `undefined` when there was none within the server's time, or `signal` was raised */
  poll(queue: ActivityQueue, signal: AbortSignal): Promise<ActivityTask | undefined>;
  /** Says that an attempt is still at work. @returns whether the workflow wants it to end early */
  heartbeat(token: Uint8Array, details: Uint8Array, identity: string): Promise<boolean>;
  complete(token: Uint8Array, result: Uint8Array, identity: string): Promise<void>;
  fail(token: Uint8Array, failure: ActivityFailure, identity: string): Promise<void>;
  /** Answers a wish to end early: it did. */
  cancelled(token: Uint8Array, details: Uint8Array, identity: string): Promise<void>;
}

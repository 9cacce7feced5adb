/** An activity as a workflow asks for it. */
export interface ScheduledActivity {
  domain?: string;
  tasklist: string;
  type: string;
  input?: string;
  /** Of one attempt, from its poll (10,000). */
  startToCloseMs?: number;
  /** Of all attempts, from the wish (60,000). */
  scheduleToCloseMs?: number;
  /** 0 for none. */
  heartbeatMs?: number;
  /** A retry policy (one attempt). */
  retry?: { maximumAttempts: number; intervalMs: number; nonRetriableErrorReasons?: readonly string[] };
}

/** What the history of a workflow would say of an activity. */
export type ActivityOutcome =
  | { type: "completed"; result: string }
  | { type: "failed"; reason: string; details: string }
  | { type: "timedOut"; timeout: "startToClose" | "scheduleToClose" | "heartbeat" }
  | { type: "cancelled"; details: string };

export interface Attempt {
  identity: string;
  begunMs: number;
  /** When each heartbeat came, and what it said. */
  heartbeats: { atMs: number; details: string }[];
  outcome: ActivityOutcome | undefined;
}

/** The limit of one payload, past which the real server fails the activity itself. */
const BLOB_BYTES_MAX = 2 * 1024 * 1024;
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");

/** One activity in the mock server: scheduled → started → retried … → ended. */
export class MockActivity {
  readonly domain: string;
  readonly tasklist: string;
  readonly type: string;
  readonly input: Uint8Array;
  readonly activityId: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly timeouts: { startToCloseMs: number; scheduleToCloseMs: number; heartbeatMs: number };
  readonly attempts: Attempt[] = [];
  readonly ended: Promise<ActivityOutcome>;
  outcome: ActivityOutcome | undefined;
  cancelRequested = false;
  details: Uint8Array = new Uint8Array(0);
  readonly #retry: ScheduledActivity["retry"];
  readonly #dispatch: (activity: MockActivity) => void;
  readonly #end: (outcome: ActivityOutcome) => void;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #token = "";

  constructor(scheduled: ScheduledActivity, number: number, dispatch: (activity: MockActivity) => void) {
    const { domain = "shop", tasklist, type, input = "", retry } = scheduled;
    this.domain = domain;
    this.tasklist = tasklist;
    this.type = type;
    this.input = Buffer.from(input);
    this.activityId = String(number);
    this.workflowId = `workflow-${number}`;
    this.runId = `run-${number}`;
    this.timeouts = {
      startToCloseMs: scheduled.startToCloseMs ?? 10_000,
      scheduleToCloseMs: scheduled.scheduleToCloseMs ?? 60_000,
      heartbeatMs: scheduled.heartbeatMs ?? 0,
    };
    this.#retry = retry;
    this.#dispatch = dispatch;
    const { promise, resolve } = Promise.withResolvers<ActivityOutcome>();
    this.ended = promise;
    this.#end = resolve;
    const outcome = { type: "timedOut", timeout: "scheduleToClose" } as const;
    this.#arm("scheduleToClose", this.timeouts.scheduleToCloseMs, () => this.#finish(outcome));
    dispatch(this);
  }

  /** From 0, as Cadence counts. */
  get attempt(): number {
    return this.attempts.length - 1;
  }

  isCurrent(token: string): boolean {
    return this.outcome === undefined && this.#token === token;
  }

  /** A poller has it. @returns the token of the attempt */
  begin(identity: string): string {
    this.attempts.push({ identity, begunMs: Date.now(), heartbeats: [], outcome: undefined });
    const { domain, workflowId, runId, activityId, attempt } = this;
    this.#token = JSON.stringify({ domain, workflowId, runId, activityId, scheduleAttempt: attempt });
    this.#timeOutAfter("startToClose", this.timeouts.startToCloseMs);
    if (this.timeouts.heartbeatMs > 0) this.#timeOutAfter("heartbeat", this.timeouts.heartbeatMs);
    return this.#token;
  }

  heartbeat(details: Uint8Array): void {
    this.details = details;
    this.attempts.at(-1)?.heartbeats.push({ atMs: Date.now(), details: text(details) });
    if (this.timeouts.heartbeatMs > 0) this.#timeOutAfter("heartbeat", this.timeouts.heartbeatMs);
  }

  complete(result: Uint8Array): void {
    if (result.length <= BLOB_BYTES_MAX) this.#finish({ type: "completed", result: text(result) });
    else this.fail("COMPLETE_RESULT_EXCEEDS_LIMIT", new Uint8Array(0));
  }

  fail(reason: string, details: Uint8Array): void {
    const isFinal = this.#retry?.nonRetriableErrorReasons?.includes(reason) === true;
    this.#attemptEnded({ type: "failed", reason, details: text(details) }, isFinal);
  }

  cancelled(details: Uint8Array): void {
    this.#finish({ type: "cancelled", details: text(details) });
  }

  /** The workflow wants it to end early. */
  requestCancel(): void {
    this.cancelRequested = true;
  }

  /** The workflow is over: nobody wants an answer. */
  terminate(): void {
    this.#finish({ type: "cancelled", details: "terminated" });
  }

  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #timeOutAfter(timeout: "startToClose" | "heartbeat", ms: number): void {
    this.#arm(timeout, ms, () => this.#attemptEnded({ type: "timedOut", timeout }, false));
  }

  #arm(name: string, ms: number, run: () => void): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(run, ms));
  }

  #attemptEnded(outcome: ActivityOutcome, isFinal: boolean): void {
    const last = this.attempts.at(-1);
    if (last !== undefined) last.outcome = outcome;
    const { maximumAttempts = 1, intervalMs = 0 } = this.#retry ?? {};
    if (isFinal || this.cancelRequested || this.attempts.length >= maximumAttempts) {
      this.#finish(outcome);
      return;
    }
    this.#token = "";
    clearTimeout(this.#timers.get("startToClose"));
    clearTimeout(this.#timers.get("heartbeat"));
    this.#arm("retry", intervalMs, () => this.#dispatch(this));
  }

  #finish(outcome: ActivityOutcome): void {
    if (this.outcome !== undefined) return;
    this.outcome = outcome;
    const last = this.attempts.at(-1);
    if (last !== undefined) last.outcome = outcome;
    this.stop();
    this.#end(outcome);
  }
}

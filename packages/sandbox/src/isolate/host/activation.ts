import type { FailedBudget } from "../../mechanism.ts";
import type { Failure } from "../protocol.ts";
import type { Place } from "./place.ts";
import type { Program } from "./program.ts";

/** How user code answered. */
export type Answer =
  | {
      kind: "reply";
      statusCode: number;
      headersJson: string;
      body: string;
      base64: boolean;
      /** Empty when there are none. */
      cookiesJson: string;
    }
  | { kind: "fail"; type: Failure; message: string; stack: string; budget: FailedBudget | "none" };

/** One activation inside a host, from its `start` frame to its answer. */
export class Activation {
  readonly number: number;
  readonly program: Program;
  readonly deadlineMs: number;
  readonly contextJson: string;
  readonly sharedContextJson: string;
  readonly eventJson: string;
  readonly receivedAt: number;
  /** When the handler began, on the host's monotonic clock. */
  startedAt = 0;
  place: Place | undefined;
  answer: Answer | undefined;
  /** User code broke a bound it cannot see past: the place is not used again. */
  violation: string | undefined;
  /** Its slice did not end by itself: what it queued is still there. */
  forced = false;
  /** A budget is used up: what its slice goes on to do does not change how it ended. */
  exceeded = false;
  readonly timers = new Map<number, NodeJS.Timeout>();
  openCalls = 0;
  totalCalls = 0;
  callsOpenedAt = 0;
  hostCallsMs = 0;
  logBytes = 0;
  coldReason = 0;
  bootMs = 0;
  initMs = 0;
  cpuMs = 0;
  /** `cpuMs` when its memory was last looked at. */
  checkedCpuMs = 0;
  memoryBytes = 0;
  externalBytes = 0;
  /** What an isolate that others are in was last seen to hold when it began, and how much of it outside the heap. */
  memoryBefore = 0;
  externalBefore = 0;
  timersPeak = 0;

  constructor(number: number, program: Program, deadlineMs: number, contextJson: string, eventJson: string) {
    this.number = number;
    this.program = program;
    this.deadlineMs = deadlineMs;
    this.contextJson = contextJson;
    this.sharedContextJson = program.sharedContextJson;
    this.eventJson = eventJson;
    this.receivedAt = performance.now();
  }

  /** Milliseconds user code may still run, at least 0. */
  remainingMs(): number {
    return Math.max(0, this.deadlineMs - Date.now());
  }

  /** Milliseconds of the processor its slices may still hold. */
  cpuLeftMs(): number {
    return this.program.header.budgets.cpu_ms - this.cpuMs;
  }

  /** Ends it because a budget is used up, unless it has ended. */
  exceed(budget: FailedBudget, message: string, type: Failure = "BudgetExceeded"): void {
    this.violation ??= message;
    this.exceeded = true;
    this.answer ??= { kind: "fail", type, message, stack: "", budget };
  }

  /** Whether something of it would go on after its answer. */
  get leftovers(): boolean {
    return this.openCalls > 0 || this.timers.size > 0 || this.violation !== undefined;
  }

  clearTimers(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
  }
}

import type { Budgets } from "@sous/contract";
import type { HostAnswer, HostCall, SandboxOutcome, SandboxTask } from "./sandbox.ts";

/** An outcome as a driver reports it; whether user code had begun is the supervisor's to add. */
export interface MechanismOutcome extends Omit<SandboxOutcome, "started"> {
  /** The budget a failure was about; how much it was is the supervisor's to say. */
  budget?: FailedBudget;
}

/** A budget whose end may be an activation's. */
export type FailedBudget = Exclude<keyof Budgets, "log_bytes" | "open_fetches">;

/** Who holds the processor in a sandbox, as far as can be told from outside, also after its death. */
export interface SliceHolder {
  /** Activation number, 0 for none. */
  activation: number;
  /** Changes with every slice. */
  slice: number;
  /** Activations with a higher number have not begun. */
  highestStarted: number;
}

export interface MechanismExit {
  code: number | null;
  signal: NodeJS.Signals | null;
  outOfMemory: boolean;
  detail: string;
}

/** What a driver's mechanism tells its supervisor. Numbers are those given to `start`. */
export interface MechanismListener {
  onReady(report: string): void;
  onOutcome(number: number, outcome: MechanismOutcome): void;
  onCall(number: number, callId: number, call: HostCall): void;
  onLog(number: number, level: "debug" | "info" | "warn" | "error", text: string): void;
  /** The activation is not in the sandbox any more. */
  onGone(number: number): void;
  onWarm(programKey: string, warm: boolean): void;
  /** Once, last. */
  onExit(exit: MechanismExit): void;
}

/**
 * What a driver has to provide: how work gets in and out of one sandbox, and how it is ended. It holds no
 * policy. Deadlines, blame, memory and the promise of exactly one outcome are `supervise`'s.
 */
export interface SandboxMechanism {
  readonly pid: number | undefined;
  listen(listener: MechanismListener): void;
  start(number: number, task: SandboxTask): void;
  answer(number: number, callId: number, answer: HostAnswer): void;
  /** Asks to end an activation; `onGone` or `onOutcome` answers. */
  cancel(number: number): void;
  evict(programKey: string): void;
  holder(): SliceHolder;
  /** The sandbox may hold this much memory from now on, in bytes; what it has of limits of its own follows. */
  growMemory(bytes: number): void;
  /** Ends the sandbox at once; `onExit` follows. */
  kill(): void;
}

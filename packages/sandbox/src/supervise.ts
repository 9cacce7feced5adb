import { type Budgets, type FunctionErrorType, LIMITS } from "@sous/contract";
import type { FailedBudget, MechanismExit, MechanismOutcome, SandboxMechanism } from "./mechanism.ts";
import type {
  HostAnswer,
  Sandbox,
  SandboxClient,
  SandboxEvent,
  SandboxOutcome,
  SandboxTask,
} from "./sandbox.ts";
import { memoryOf } from "./process-usage.ts";
import { SliceWatch } from "./slice-watch.ts";

export interface SuperviseOptions {
  id: string;
  tenant: string;
  /** Milliseconds a sandbox has to let go of an activation past its deadline (100). */
  killGraceMs?: number;
  /** Resident memory of the sandbox's process above which it is killed, in bytes. */
  memoryBytesMax: number;
  /** A slice that lasts longer than this, and has a processor meanwhile, is reported as slow, in milliseconds (50). */
  slowSliceMs?: number;
  /** Called when work comes in: the owner should call `watch` from now on. */
  onActive?: () => void;
}

interface Running {
  number: number;
  activationId: string;
  programKey: string;
  deadlineMs: number;
  /** Taken out with its outcome: what is left here holds nothing of the caller. */
  client: SandboxClient | undefined;
  /** Its outcome is out; the sandbox still has to let go of it. */
  ended: boolean;
  /** When the sandbox must have let go of it, epoch milliseconds; 0 while it may go on. */
  letGoMs: number;
  budgets: Budgets;
  memoryMb: number;
  hostCalls: number;
  /** Milliseconds for which it was seen to hold the processor, a lower bound. */
  heldMs: number;
}

const MiB = 1024 * 1024;
/** Part of the memory it may hold beyond which a sandbox takes programs only for others. */
const CROWDED = 3 / 4;
/** What a sandbox's process weighs beside the memory of the program it runs. */
const HOST_BYTES = 256 * MiB;
/** What a slice may make its process grow by beside the memory of its program: the collector, our own code. */
const SLICE_GROWTH_BYTES = 128 * MiB;
/** Milliseconds after its deadline until which a slice is left to the sandbox to stop: that knows what was used. */
const STOP_MS = 75;
/** Milliseconds between two looks at the marker and the memory. */
const LOOK_MS = 25;

const NO_TIMINGS = { placementMs: 0, bootMs: 0, initMs: 0, handlerMs: 0, hostCallsMs: 0 };

/**
 * Gives a driver's mechanism the promises of the sandbox port: deadlines that hold, one outcome an activation,
 * memory bounded, blame on the activation that held the slice, events in order.
 *
 * An activation here: running → ended (its outcome is out) → gone. It ends by the sandbox's answer, at its
 * deadline, by `cancel`, or with the sandbox. After its deadline the sandbox has `killGraceMs` to let go; an
 * activation that still holds the slice then takes the sandbox with it. A sandbox: live → dead, once.
 */
export class SupervisedSandbox implements Sandbox {
  readonly id: string;
  readonly tenant: string;
  readonly warmPrograms = new Set<string>();
  readonly #mechanism: SandboxMechanism;
  readonly #killGraceMs: number;
  /** Grows with the largest program that runs here. */
  #memoryBytesMax: number;
  readonly #slice: SliceWatch;
  readonly #onActive: (() => void) | undefined;
  readonly #running = new Map<number, Running>();
  readonly #listeners: ((event: SandboxEvent) => void)[] = [];
  readonly #gone: Promise<void>;
  #announceGone: () => void = () => {};
  #lastNumber = 0;
  #active = 0;
  #dead: string | undefined;
  #blamed: string | undefined;
  #lookedMs = 0;
  /** What its process held at the last look. */
  #heldBytes = 0;

  constructor(mechanism: SandboxMechanism, options: SuperviseOptions) {
    this.id = options.id;
    this.tenant = options.tenant;
    this.#mechanism = mechanism;
    this.#killGraceMs = options.killGraceMs ?? LIMITS.killGraceMs;
    this.#memoryBytesMax = options.memoryBytesMax;
    this.#slice = new SliceWatch(mechanism.pid, options.slowSliceMs ?? 50);
    this.#onActive = options.onActive;
    this.#gone = new Promise((resolve) => (this.#announceGone = resolve));
    mechanism.listen({
      onReady: () => {},
      onOutcome: (number, outcome) => this.#onOutcome(number, outcome),
      onCall: (number, callId, call) => {
        const running = this.#running.get(number);
        if (running === undefined || running.ended || Date.now() > running.deadlineMs) return;
        if (++running.hostCalls > running.budgets.host_calls) this.#exceed(running, "host_calls");
        else running.client?.onHostCall(call, (answer) => this.#answer(running, callId, answer));
      },
      onLog: (number, level, text) => {
        this.#running.get(number)?.client?.onLog(level, text);
      },
      onGone: (number) => this.#release(number),
      onWarm: (key, warm) => void (warm ? this.warmPrograms.add(key) : this.warmPrograms.delete(key)),
      onExit: (exit) => this.#onExit(exit),
    });
  }

  get pid(): number | undefined {
    return this.#mechanism.pid;
  }

  get active(): number {
    return this.#active;
  }

  get waiting(): number {
    return Math.min(this.#active, Math.max(0, this.#lastNumber - this.#mechanism.holder().highestStarted));
  }

  /** Why it is dead, or `undefined` while it lives. */
  get dead(): string | undefined {
    return this.#dead;
  }

  runningPrograms(): Set<string> {
    return new Set(this.#running.values().map(({ programKey }) => programKey));
  }

  get stalled(): boolean {
    // Between its death and the end of its process there is nobody to take work.
    return this.#dead !== undefined || this.#slice.slow;
  }

  get crowded(): boolean {
    return this.#heldBytes > this.#memoryBytesMax * CROWDED;
  }

  start(task: SandboxTask, client: SandboxClient): void {
    const number = ++this.#lastNumber;
    if (this.#dead !== undefined) {
      client.onOutcome(failure("SandboxCrashed", `the sandbox had ended: ${this.#dead}`, false));
      return;
    }
    const { activationId, program, deadlineMs } = task;
    const programKey = program.key;
    const needed = program.memoryMb * MiB + HOST_BYTES;
    if (needed > this.#memoryBytesMax) {
      this.#memoryBytesMax = needed;
      this.#mechanism.growMemory(needed);
    }
    this.#running.set(number, {
      number,
      activationId,
      programKey,
      deadlineMs,
      client,
      ended: false,
      letGoMs: 0,
      budgets: program.budgets,
      memoryMb: program.memoryMb,
      hostCalls: 0,
      heldMs: 0,
    });
    if (this.#active++ === 0) this.#onActive?.();
    this.#mechanism.start(number, task);
  }

  cancel(activationId: string): void {
    for (const running of this.#running.values()) {
      if (running.activationId !== activationId || running.ended) continue;
      this.#end(running, failure("Cancelled", "the activation was cancelled", this.#begun(running)));
      this.#letGo(running);
      return;
    }
  }

  evict(programKey: string): void {
    this.warmPrograms.delete(programKey);
    if (this.#dead === undefined) this.#mechanism.evict(programKey);
  }

  listen(listener: (event: SandboxEvent) => void): void {
    this.#listeners.push(listener);
    listener({ type: "created" });
  }

  kill(reason: string): void {
    this.#die(reason, undefined, "SandboxCrashed");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("disposed");
    await this.#gone;
  }

  /** Whether there is something to watch: work, or a slice that lasts too long. */
  get watchful(): boolean {
    return this.#running.size > 0 || this.#slice.slow;
  }

  /**
   * Looks at the sandbox from outside, every few milliseconds while it is watchful: ends what passed its
   * deadline, kills the sandbox when that does not let go, reports a slice that lasts too long once, and kills
   * a process that outgrew its memory. One look for all costs less than a timer for each.
   * @param nowMs epoch milliseconds
   */
  watch(nowMs: number): void {
    if (this.#dead !== undefined) return;
    for (const running of this.#running.values()) {
      if (!running.ended) {
        if (nowMs >= running.deadlineMs) this.#onDeadline(running, nowMs);
      } else if (nowMs >= running.letGoMs) this.#checkHold(running, nowMs);
      if (this.#dead !== undefined) return;
    }
    if (nowMs - this.#lookedMs < LOOK_MS) return;
    this.#lookedMs = nowMs;
    this.#look(nowMs);
  }

  #look(nowMs: number): void {
    const { activation, slice } = this.#mechanism.holder();
    const running = this.#running.get(activation);
    const bytes = this.pid === undefined ? 0 : memoryOf(this.pid);
    this.#heldBytes = bytes;
    const { heldMs, grownBytes, slowMs } = this.#slice.look(activation === 0 ? 0 : slice, bytes, nowMs);
    if (running !== undefined) {
      running.heldMs += heldMs;
      if (slowMs !== undefined) this.#emit({ type: "slow", programKey: running.programKey, sliceMs: slowMs });
    }
    this.#checkMemory(running, bytes, grownBytes);
    // Past its deadline it is a time-out, whatever it used until the sandbox stops it.
    const counts = running !== undefined && !running.ended && nowMs < running.deadlineMs;
    if (counts && running.heldMs >= running.budgets.cpu_ms) this.#exceed(running, "cpu_ms");
  }

  /** Only the holder of the slice allocates in it: what the process grows by meanwhile is its doing. */
  #checkMemory(running: Running | undefined, bytes: number, grownBytes: number): void {
    const of = (held: number, most: number): string =>
      `${Math.round(held / MiB)} MiB of at most ${Math.round(most / MiB)}`;
    if (bytes > this.#memoryBytesMax) {
      this.#die(`its process held ${of(bytes, this.#memoryBytesMax)}`, running, "MemoryLimit");
    } else if (running !== undefined) {
      const most = running.memoryMb * MiB + SLICE_GROWTH_BYTES;
      if (grownBytes > most)
        this.#die(`its process grew by ${of(grownBytes, most)} in one slice`, running, "MemoryLimit");
    }
  }

  /** A budget is used up, as seen from here: it ends as one that passed its deadline does. */
  #exceed(running: Running, budget: FailedBudget): void {
    const limit = running.budgets[budget];
    const message = `the function used up its budget ${budget} (${limit})`;
    const type = budget === "result_bytes" ? "ResultTooLarge" : "BudgetExceeded";
    const outcome = failure(type, message, true, running.heldMs);
    this.#end(running, withDetails(outcome, budget, running.budgets));
    this.#letGo(running);
  }

  #answer(running: Running, callId: number, answer: HostAnswer): void {
    if (!running.ended && this.#dead === undefined) this.#mechanism.answer(running.number, callId, answer);
  }

  #onOutcome(number: number, outcome: MechanismOutcome): void {
    const running = this.#running.get(number);
    if (running === undefined) return;
    const bodyLength = outcome.result?.body.length ?? 0;
    if (!running.ended && bodyLength > running.budgets.result_bytes) this.#exceed(running, "result_bytes");
    else if (!running.ended) {
      // The deadline is ours to keep: what comes after it is late, whatever it says.
      const itsOwn = outcome.status === "success" || outcome.error?.type === "Exception";
      const late = itsOwn && Date.now() > running.deadlineMs;
      const began = withDetails(outcome as SandboxOutcome, outcome.budget, running.budgets);
      began.started = true;
      if (late)
        this.#end(running, {
          ...failure("Timeout", timeoutMessage(running), true, outcome.cpuMs),
          timings: outcome.timings,
        });
      else this.#end(running, began);
      const type = outcome.error?.type;
      if (type === "Timeout" || type === "MemoryLimit") {
        this.#emit({ type: "abnormal", programKey: running.programKey, reason: type });
      }
    }
    this.#release(number);
  }

  #onDeadline(running: Running, nowMs: number): void {
    const holds = this.#mechanism.holder().activation === running.number;
    if (holds && nowMs < running.deadlineMs + STOP_MS) return;
    this.#end(running, failure("Timeout", timeoutMessage(running), this.#begun(running), running.heldMs));
    // For a slice the grace began with the time that was left to the sandbox; it has a look's time at least.
    this.#letGo(running, holds ? Math.max(running.deadlineMs, nowMs + LOOK_MS - this.#killGraceMs) : nowMs);
  }

  /** Asks the sandbox to let go of an ended activation, within the grace. */
  #letGo(running: Running, sinceMs = Date.now()): void {
    if (this.#dead !== undefined) return;
    running.letGoMs = sinceMs + this.#killGraceMs;
    this.#mechanism.cancel(running.number);
  }

  /** An ended activation is still there after its grace: the sandbox is killed when that one is in the way. */
  #checkHold(running: Running, nowMs: number): void {
    const { activation } = this.#mechanism.holder();
    const other = activation === running.number ? undefined : this.#running.get(activation);
    // Another activation holds the slice and its own deadline is to come: it answers for the delay.
    if (other !== undefined && !other.ended) running.letGoMs = nowMs + this.#killGraceMs;
    else this.#die("an activation held it past its deadline", other ?? running, "Timeout");
  }

  #begun(running: Running): boolean {
    return running.number <= this.#mechanism.holder().highestStarted;
  }

  #end(running: Running, outcome: SandboxOutcome): void {
    const { client } = running;
    running.ended = true;
    running.client = undefined;
    this.#active--;
    client?.onOutcome(outcome);
  }

  #release(number: number): void {
    const running = this.#running.get(number);
    if (running === undefined) return;
    this.#running.delete(number);
    if (!running.ended) {
      this.#end(running, failure("SandboxCrashed", "the sandbox gave the activation back", false));
    }
    if (this.#running.size === 0) this.#emit({ type: "idle" });
  }

  #onExit(exit: MechanismExit): void {
    if (this.#dead === undefined) {
      const holder = this.#running.get(this.#mechanism.holder().activation);
      const how = exit.signal ?? `code ${exit.code}`;
      const detail = exit.detail === "" ? "" : `: ${exit.detail.split("\n")[0]?.slice(0, 300)}`;
      this.#die(
        `its process ended with ${how}${detail}`,
        holder,
        exit.outOfMemory ? "MemoryLimit" : "SandboxCrashed",
      );
    }
    this.#emit({ type: "exited", reason: this.#dead ?? "", blamed: this.#blamed });
    this.#announceGone();
  }

  /**
   * Ends everything: the blamed activation with `type`, its neighbours as crashed with the sandbox.
   */
  #die(reason: string, blamed: Running | undefined, type: FunctionErrorType): void {
    if (this.#dead !== undefined) return;
    this.#dead = reason;
    this.#blamed = blamed?.programKey;
    const { highestStarted } = this.#mechanism.holder();
    this.#mechanism.kill();
    if (this.#blamed !== undefined) this.#emit({ type: "abnormal", programKey: this.#blamed, reason });
    const all = [...this.#running.values()];
    this.#running.clear();
    this.warmPrograms.clear();
    for (const running of all) {
      if (running.ended) continue;
      const own = running === blamed;
      const message =
        own && type === "MemoryLimit"
          ? `the function took too much memory: ${reason}`
          : `the sandbox was ended: ${reason}`;
      this.#end(running, failure(own ? type : "SandboxCrashed", message, running.number <= highestStarted));
    }
  }

  #emit(event: SandboxEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

function timeoutMessage(running: Running): string {
  return `the function did not end before its deadline (${new Date(running.deadlineMs).toISOString()})`;
}

/** Says how much the budget was; what a host says of a budget that does not exist never comes this far. */
function withDetails(
  outcome: SandboxOutcome,
  budget: FailedBudget | undefined,
  budgets: Budgets,
): SandboxOutcome {
  if (budget !== undefined && outcome.error !== undefined)
    outcome.error.details = { budget, limit: budgets[budget] };
  return outcome;
}

/** @param cpuMs how long it was seen to hold the processor, where it was */
function failure(type: FunctionErrorType, message: string, started: boolean, cpuMs = 0): SandboxOutcome {
  const status = type === "Timeout" ? "timeout" : type === "Cancelled" ? "cancelled" : "error";
  return {
    status,
    error: { type, message },
    cold: false,
    coldReason: "none",
    timings: NO_TIMINGS,
    cpuMs,
    memoryPeakBytes: 0,
    externalMemoryBytes: 0,
    timersPeak: 0,
    started,
  };
}

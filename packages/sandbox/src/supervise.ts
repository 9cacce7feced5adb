import { type FunctionErrorType, LIMITS } from "@sous/contract";
import type { MechanismExit, MechanismOutcome, SandboxMechanism } from "./mechanism.ts";
import type {
  HostAnswer,
  Sandbox,
  SandboxClient,
  SandboxEvent,
  SandboxOutcome,
  SandboxTask,
} from "./sandbox.ts";
import { memoryOf } from "./process-memory.ts";

export interface SuperviseOptions {
  id: string;
  tenant: string;
  /** Milliseconds a sandbox has to let go of an activation past its deadline (100). */
  killGraceMs?: number;
  /** Resident memory of the sandbox's process above which it is killed, in bytes. */
  memoryBytesMax: number;
  /** A slice longer than this is reported as slow, in milliseconds (50). */
  slowSliceMs?: number;
  /** Called when work comes in: the owner should call `watch` from now on. */
  onActive?: () => void;
}

interface Running {
  number: number;
  task: SandboxTask;
  client: SandboxClient;
  deadline: NodeJS.Timeout | undefined;
  /** Its outcome is out; the sandbox still has to let go of it. */
  ended: boolean;
  grace: NodeJS.Timeout | undefined;
}

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
  readonly #memoryBytesMax: number;
  readonly #slowSliceMs: number;
  readonly #onActive: (() => void) | undefined;
  readonly #running = new Map<number, Running>();
  readonly #numbers = new Map<string, number>();
  readonly #listeners: ((event: SandboxEvent) => void)[] = [];
  readonly #gone: Promise<void>;
  #announceGone: () => void = () => {};
  #lastNumber = 0;
  #active = 0;
  #dead: string | undefined;
  #blamed: string | undefined;
  #watched = { slice: 0, sinceMs: 0, reported: false };

  constructor(mechanism: SandboxMechanism, options: SuperviseOptions) {
    this.id = options.id;
    this.tenant = options.tenant;
    this.#mechanism = mechanism;
    this.#killGraceMs = options.killGraceMs ?? LIMITS.killGraceMs;
    this.#memoryBytesMax = options.memoryBytesMax;
    this.#slowSliceMs = options.slowSliceMs ?? 50;
    this.#onActive = options.onActive;
    this.#gone = new Promise((resolve) => (this.#announceGone = resolve));
    mechanism.listen({
      onReady: () => {},
      onOutcome: (number, outcome) => this.#onOutcome(number, outcome),
      onCall: (number, callId, call) => {
        const running = this.#running.get(number);
        if (running === undefined || running.ended) return;
        running.client.onHostCall(call, (answer) => this.#answer(running, callId, answer));
      },
      onLog: (number, level, text) => {
        const running = this.#running.get(number);
        if (running !== undefined && !running.ended) running.client.onLog(level, text);
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

  /** Why it is dead, or `undefined` while it lives. */
  get dead(): string | undefined {
    return this.#dead;
  }

  /** Whether one slice has held the sandbox for longer than `slowSliceMs`. */
  get stalled(): boolean {
    return this.#watched.reported;
  }

  start(task: SandboxTask, client: SandboxClient): void {
    const number = ++this.#lastNumber;
    const running: Running = { number, task, client, deadline: undefined, ended: false, grace: undefined };
    if (this.#dead !== undefined) {
      client.onOutcome(failure("SandboxCrashed", `the sandbox had ended: ${this.#dead}`, false));
      return;
    }
    this.#running.set(number, running);
    this.#numbers.set(task.activationId, number);
    if (this.#active++ === 0) this.#onActive?.();
    running.deadline = setTimeout(() => this.#onDeadline(running), Math.max(0, task.deadlineMs - Date.now()));
    this.#mechanism.start(number, task);
  }

  cancel(activationId: string): void {
    const number = this.#numbers.get(activationId);
    const running = number === undefined ? undefined : this.#running.get(number);
    if (running === undefined || running.ended) return;
    this.#end(running, failure("Cancelled", "the activation was cancelled", this.#begun(running)));
    this.#letGo(running);
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

  /**
   * Looks at the sandbox from outside: a slice that lasts too long is reported once, a process that outgrew
   * its memory is killed. Called by whoever owns the sandbox, every few dozen milliseconds while it is active.
   */
  watch(nowMs: number): void {
    if (this.#dead !== undefined) return;
    const { activation, slice } = this.#mechanism.holder();
    const watched = this.#watched;
    if (activation === 0 || slice !== watched.slice)
      this.#watched = { slice, sinceMs: nowMs, reported: false };
    else if (!watched.reported && nowMs - watched.sinceMs >= this.#slowSliceMs) {
      watched.reported = true;
      const programKey = this.#running.get(activation)?.task.program.key;
      if (programKey !== undefined)
        this.#emit({ type: "slow", programKey, sliceMs: nowMs - watched.sinceMs });
    }
    if (this.pid === undefined) return;
    const bytes = memoryOf(this.pid);
    if (bytes <= this.#memoryBytesMax) return;
    const holder = this.#running.get(activation);
    const MiB = 1024 * 1024;
    const reason = `its process held ${Math.round(bytes / MiB)} MiB of at most ${Math.round(this.#memoryBytesMax / MiB)}`;
    this.#die(reason, holder, "MemoryLimit");
  }

  #answer(running: Running, callId: number, answer: HostAnswer): void {
    if (!running.ended && this.#dead === undefined) this.#mechanism.answer(running.number, callId, answer);
  }

  #onOutcome(number: number, outcome: MechanismOutcome): void {
    const running = this.#running.get(number);
    if (running === undefined) return;
    if (!running.ended) {
      // The deadline is ours to keep: what comes after it is late, whatever it says.
      const late = outcome.status === "success" && Date.now() > running.task.deadlineMs;
      const began = outcome as SandboxOutcome;
      began.started = true;
      if (late)
        this.#end(running, {
          ...failure("Timeout", timeoutMessage(running), true),
          timings: outcome.timings,
        });
      else this.#end(running, began);
      const type = outcome.error?.type;
      if (type === "Timeout" || type === "MemoryLimit") {
        this.#emit({ type: "abnormal", programKey: running.task.program.key, reason: type });
      }
    }
    this.#release(number);
  }

  #onDeadline(running: Running): void {
    if (running.ended) return;
    this.#end(running, failure("Timeout", timeoutMessage(running), this.#begun(running)));
    this.#letGo(running);
  }

  /** Waits for the sandbox to let go of an ended activation, and kills it when that activation is in the way. */
  #letGo(running: Running): void {
    if (this.#dead !== undefined) return;
    this.#mechanism.cancel(running.number);
    const check = (): void => {
      if (!this.#running.has(running.number) || this.#dead !== undefined) return;
      const { activation } = this.#mechanism.holder();
      const other = activation === running.number ? undefined : this.#running.get(activation);
      // Another activation holds the slice and its own deadline is to come: it answers for the delay.
      if (other !== undefined && !other.ended) running.grace = setTimeout(check, this.#killGraceMs);
      else this.#die("an activation held it past its deadline", other ?? running, "Timeout");
    };
    running.grace = setTimeout(check, this.#killGraceMs);
  }

  #begun(running: Running): boolean {
    return running.number <= this.#mechanism.holder().highestStarted;
  }

  #end(running: Running, outcome: SandboxOutcome): void {
    running.ended = true;
    clearTimeout(running.deadline);
    this.#active--;
    running.client.onOutcome(outcome);
  }

  #release(number: number): void {
    const running = this.#running.get(number);
    if (running === undefined) return;
    this.#running.delete(number);
    if (this.#numbers.get(running.task.activationId) === number)
      this.#numbers.delete(running.task.activationId);
    clearTimeout(running.grace);
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
    this.#blamed = blamed?.task.program.key;
    const { highestStarted } = this.#mechanism.holder();
    this.#mechanism.kill();
    if (this.#blamed !== undefined) this.#emit({ type: "abnormal", programKey: this.#blamed, reason });
    const all = [...this.#running.values()];
    this.#running.clear();
    this.#numbers.clear();
    this.warmPrograms.clear();
    for (const running of all) {
      clearTimeout(running.grace);
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
  return `the function did not end before its deadline (${new Date(running.task.deadlineMs).toISOString()})`;
}

function failure(type: FunctionErrorType, message: string, started: boolean): SandboxOutcome {
  const status = type === "Timeout" ? "timeout" : type === "Cancelled" ? "cancelled" : "error";
  return {
    status,
    error: { type, message },
    cold: false,
    coldReason: "none",
    timings: NO_TIMINGS,
    cpuMs: 0,
    memoryPeakBytes: 0,
    started,
  };
}

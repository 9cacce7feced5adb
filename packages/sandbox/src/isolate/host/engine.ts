import type { FrameWriter } from "../frame-writer.ts";
import { COLD_REASONS, type Failure, FROM_HOST } from "../protocol.ts";
import type { Activation, Answer } from "./activation.ts";
import type { Marker } from "./marker.ts";
import type { Place, SharedIsolate } from "./place.ts";
import type { PlacePool } from "./place-pool.ts";
import { type Program, ProgramError } from "./program.ts";
import { usersStack } from "./users-stack.ts";
import { writeAnswer } from "./write-answer.ts";

const MEMORY_SAMPLE_EVERY = 64;
/** Where others are in the isolate it matters whose its memory is. */
const SHARED_SAMPLE_EVERY = 8;
/** V8's timer and the clock may differ by this much about when a deadline is. */
const CLOCK_SLACK_MS = 2;
/** How late a slice may be stopped: before the supervisor does it from outside. */
const TIMEOUT_GRID_MS = 32;
const SHORT_SLICE_MS = 5;
const MiB = 1024 * 1024;
const PROVEN_SLICES = 5;
/** Part of the memory of a shared isolate that may be held when an activation in it has ended. */
const RESTING_MAX = 1 / 2;
/** Programs that share no more, remembered of a host: so many isolates of their own have room in it beside the rest. */
const ALONE_MAX = 100;
const ISOLATE_ENDED = "another function ended the isolate it shared";

export interface EngineOptions {
  writer: FrameWriter;
  marker: Marker;
  pool: PlacePool;
  /** Places in isolates that programs share. */
  sharedPool: PlacePool;
  /** Called when a program has its first place, or loses its last. */
  onWarm(program: Program, warm: boolean): void;
}

/**
 * Runs activations on the host's one thread, a slice at a time.
 *
 * An activation: waiting → (place booted) → running → answered → gone. It enters user code only in a slice:
 * at its start, when a host call is answered, when a timer is due. A slice ends by itself or at the
 * activation's deadline. After a clean answer the place is idle again; after anything else it is disposed.
 */
export class Engine {
  readonly #options: EngineOptions;
  readonly #activations = new Map<number, Activation>();
  /** Keys of programs that ask to share an isolate and have shown that they had better not. */
  readonly #alone = new Set<string>();
  lastWorkAt = 0;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  start(activation: Activation): void {
    this.lastWorkAt = activation.receivedAt;
    this.#activations.set(activation.number, activation);
    activation.program.waiting.push(activation);
    this.#drain(activation.program);
  }

  settle(number: number, callId: number, ok: boolean, payload: string, code: string): void {
    const activation = this.#activations.get(number);
    const place = activation?.place;
    if (activation === undefined || place === undefined || activation.openCalls === 0) return;
    if (--activation.openCalls === 0) activation.hostCallsMs += performance.now() - activation.callsOpenedAt;
    this.#slice(activation, place, (timeoutMs) => place.settle(callId, ok, payload, code, timeoutMs));
  }

  /** Ends an activation without an answer. */
  cancel(number: number): void {
    const activation = this.#activations.get(number);
    if (activation !== undefined) {
      const waiting = activation.program.waiting.indexOf(activation);
      if (waiting >= 0) activation.program.waiting.splice(waiting, 1);
      this.#forget(activation);
      if (activation.place !== undefined) this.#retire(activation.program, activation.place);
      this.#drain(activation.program);
    }
    this.#options.writer.begin(FROM_HOST.gone).u32(number).end();
  }

  /** Drops the idle places of a program. */
  evict(program: Program): void {
    while (program.idle.length > 0) this.#retire(program, program.idle[program.idle.length - 1] as Place);
  }

  /** Drops places that have been idle since before a moment of the monotonic clock. */
  reap(program: Program, idleSince: number): void {
    const late = program.idle.filter((place) => place.lastUsedMs < idleSince);
    for (const place of late) this.#retire(program, place);
  }

  timer(activation: Activation, timerId: number, delayMs: number): void {
    const previous = activation.timers.get(timerId);
    if (previous !== undefined) clearTimeout(previous);
    const fire = (): void => {
      activation.timers.delete(timerId);
      const place = activation.place;
      if (place === undefined || activation.answer !== undefined) return;
      this.#slice(activation, place, (timeoutMs) => place.fire(timerId, timeoutMs));
    };
    activation.timers.set(timerId, setTimeout(fire, delayMs));
    if (activation.timers.size > activation.timersPeak) activation.timersPeak = activation.timers.size;
  }

  /** Starts waiting activations while there are places for them. A loop, because an answer frees a place at once. */
  #drain(program: Program): void {
    if (program.draining) return;
    program.draining = true;
    while (program.waiting.length > 0) {
      const warm = program.idle.pop();
      if (warm?.usable === false) {
        this.#retire(program, warm);
        continue;
      }
      if (warm === undefined && program.places >= program.header.maxConcurrency) break;
      const activation = program.waiting.shift() as Activation;
      if (warm === undefined) this.#boot(activation);
      else if (warm.loaded) this.#begin(activation, warm);
      else this.#load(activation, warm, performance.now());
    }
    program.draining = false;
  }

  #boot(activation: Activation): void {
    const { program } = activation;
    const begun = performance.now();
    activation.coldReason = COLD_REASONS.indexOf(coldReasonOf(program));
    // Making a place takes milliseconds: answers that are there do not wait for it.
    this.#options.writer.flush();
    const pool = this.#shares(program) ? this.#options.sharedPool : this.#options.pool;
    const place = pool.take(program.header.memoryMb);
    place.program = program;
    activation.bootMs = performance.now() - begun;
    if (++program.places === 1) this.#options.onWarm(program, true);
    program.everStarted = true;
    this.#load(activation, place, performance.now());
  }

  /** Evaluates the program in a place, which is user code and so a slice of the activation that needs it. */
  #load(activation: Activation, place: Place, begun: number): void {
    const { program } = activation;
    noteBefore(activation, place);
    activation.place = place;
    place.current = activation;
    place.loaded = true;
    activation.startedAt = performance.now();
    this.#slice(activation, place, (timeoutMs) => program.load(place, timeoutMs));
    activation.initMs = performance.now() - begun;
    if (activation.place === place && activation.answer === undefined) this.#begin(activation, place);
  }

  #begin(activation: Activation, place: Place): void {
    if (activation.initMs === 0) noteBefore(activation, place);
    activation.place = place;
    place.current = activation;
    place.uses++;
    activation.startedAt = performance.now();
    this.#slice(activation, place, (timeoutMs) => place.start(activation, timeoutMs));
  }

  #slice(activation: Activation, place: Place, run: (timeoutMs: number) => void): void {
    const { program } = activation;
    if (place.shared !== undefined && place.isolate.isDisposed) {
      this.#fail(activation, "SandboxCrashed", ISOLATE_ENDED);
      return;
    }
    const leftMs = activation.remainingMs();
    if (leftMs === 0) {
      this.#fail(activation, "Timeout", "the deadline passed before user code could go on");
      return;
    }
    const cpuLeftMs = activation.cpuLeftMs();
    if (cpuLeftMs <= 0) {
      this.#exceedCpu(activation);
      this.#answer(activation, place, activation.answer as Answer);
      return;
    }
    // A time-out of 0 would be none at all.
    let timeoutMs = leftMs;
    if (cpuLeftMs < leftMs) timeoutMs = Math.ceil(cpuLeftMs);
    else timeoutMs = onGrid(leftMs);
    // What has ended does not wait behind user code that has not proved to be short, be it of the same program.
    if (program.shortSlices < PROVEN_SLICES && this.#options.writer.pending) this.#options.writer.flush();
    this.#options.marker.enter(activation.number);
    const begun = performance.now();
    let failure: { error: unknown } | undefined;
    try {
      run(timeoutMs);
    } catch (error) {
      failure = { error };
    }
    const spentMs = performance.now() - begun;
    this.#options.marker.leave();
    activation.cpuMs += spentMs;
    if (failure !== undefined) this.#abnormal(activation, place, failure.error);
    if (activation.cpuMs - activation.checkedCpuMs >= SHORT_SLICE_MS) this.#checkExternal(activation, place);
    if (spentMs < SHORT_SLICE_MS) program.shortSlices++;
    else program.shortSlices = 0;
    if (activation.answer !== undefined) this.#answer(activation, place, activation.answer);
    if (place.shared !== undefined && place.isolate.isDisposed) this.#close(place.shared);
  }

  #abnormal(activation: Activation, place: Place, error: unknown): void {
    // What threw its way out of a slice has not run what it queued, like one that was stopped.
    activation.forced = !(error instanceof ProgramError);
    if (activation.exceeded) return;
    const message = error instanceof Error ? error.message : String(error);
    activation.violation = message;
    const answer = (type: Failure, text: string, stack = ""): void => {
      const message = text.slice(0, 16_384);
      activation.answer = { kind: "fail", type, message, stack: stack.slice(0, 8192), budget: "none" };
    };
    const timedOut = message.startsWith("Script execution timed out");
    // What user code throws at module level comes here too: the state decides, not the text.
    if (error instanceof ProgramError) answer("BundleError", message);
    else if (place.isolate.isDisposed) {
      const who =
        place.shared === undefined ? "the function needs" : "the functions of its isolate need together";
      answer("MemoryLimit", `${who} more than its ${place.memoryMb} MiB of memory`);
    } else if (timedOut && activation.remainingMs() <= CLOCK_SLACK_MS) {
      answer("Timeout", "the function did not end before its deadline");
    } else if (timedOut && activation.cpuLeftMs() <= CLOCK_SLACK_MS) {
      activation.answer = undefined;
      this.#exceedCpu(activation);
    } else answer("Exception", message, error instanceof Error ? usersStack(error.stack ?? "") : "");
  }

  #exceedCpu(activation: Activation): void {
    const { cpu_ms } = activation.program.header.budgets;
    activation.exceed("cpu_ms", `the function used up its ${cpu_ms} ms of processor time`);
  }

  /** Memory takes time to fill: after each few milliseconds of slices, what is held outside the heap is looked at. */
  #checkExternal(activation: Activation, place: Place): void {
    activation.checkedCpuMs = activation.cpuMs;
    place.sampleMemory();
    const { external_memory_mb } = activation.program.header.budgets;
    activation.externalBytes = Math.max(activation.externalBytes, place.externalSample);
    const own = place.externalSample - activation.externalBefore;
    if (own <= external_memory_mb * MiB || activation.answer?.kind === "fail") return;
    activation.answer = undefined;
    const message = `the function holds more than its ${external_memory_mb} MiB outside the heap, in array buffers`;
    activation.exceed("external_memory_mb", message, "MemoryLimit");
  }

  #fail(activation: Activation, type: Failure, message: string): void {
    activation.violation = message;
    const answer: Answer = { kind: "fail", type, message, stack: "", budget: "none" };
    activation.answer = answer;
    if (activation.place !== undefined) this.#answer(activation, activation.place, answer);
    else {
      this.#forget(activation);
      writeAnswer(this.#options.writer, activation, answer);
    }
  }

  #answer(activation: Activation, place: Place, answer: Answer): void {
    const { program } = activation;
    const every = place.shared === undefined ? MEMORY_SAMPLE_EVERY : SHARED_SAMPLE_EVERY;
    const sample = place.uses <= 1 || place.uses % every === 0 || activation.cpuMs > SHORT_SLICE_MS;
    // Asking V8 costs more than a short call: between two samples the last one stands.
    if (sample) place.sampleMemory();
    activation.memoryBytes = place.memorySample;
    activation.externalBytes = Math.max(activation.externalBytes, place.externalSample);
    const clean = !activation.leftovers && place.usable && answer.kind === "reply";
    this.#forget(activation);
    writeAnswer(this.#options.writer, activation, answer);
    if (!clean && !this.#reusableAfterFailure(activation, answer, place))
      this.#retire(program, place, activation);
    else if (program.evicted || program.header.isolation === "fresh") this.#retire(program, place);
    else if (program.header.isolation === "context") setImmediate(() => this.#renew(program, place));
    else this.#rest(program, place, activation);
    this.#drain(program);
  }

  /** An error the handler threw is an ordinary end; everything else the isolate does not survive. */
  #reusableAfterFailure(activation: Activation, answer: Answer, place: Place): boolean {
    const ordinary =
      answer.kind === "fail" &&
      (answer.type === "Exception" || answer.type === "CapabilityDenied" || answer.type === "BudgetExceeded");
    return ordinary && !activation.leftovers && place.usable;
  }

  #rest(program: Program, place: Place, after?: Activation): void {
    const { shared } = place;
    if (shared !== undefined && (shared.closed || !this.#shares(program))) this.#retire(program, place);
    else if (shared !== undefined && isFull(place)) this.#leave(program, place, shared, after);
    else {
      place.current = undefined;
      place.lastUsedMs = performance.now();
      program.idle.push(place);
    }
  }

  /** Others would be short of memory in an isolate that is left so full: they begin in another, without who filled it. */
  #leave(program: Program, place: Place, shared: SharedIsolate, after: Activation | undefined): void {
    const own = place.memorySample - (after?.memoryBefore ?? place.memorySample);
    this.#retire(program, place);
    if (own > (place.memoryMb * MiB * RESTING_MAX) / 2) this.#part(program, shared);
    else this.#close(shared);
  }

  /** `context` isolation: fresh globals before the next activation, made between activations. */
  #renew(program: Program, place: Place): void {
    if (!place.usable || program.evicted) {
      this.#retire(program, place);
      return;
    }
    place.current = undefined;
    try {
      place.renew();
      this.#rest(program, place);
    } catch {
      // What the last activation left behind may fill its isolate: another one has room.
      this.#retire(program, place);
    }
    this.#drain(program);
  }

  /** @param after what ran there last and is why */
  #retire(program: Program, place: Place, after?: Activation): void {
    const at = program.idle.indexOf(place);
    if (at >= 0) program.idle.splice(at, 1);
    place.dispose();
    if (--program.places === 0) this.#options.onWarm(program, false);
    // What it queued may go on in its isolate whenever others run there: nobody else does.
    if (after?.forced === true && place.shared?.closed === false) this.#part(program, place.shared);
  }

  #shares({ header }: Program): boolean {
    return header.isolation === "shared" && !this.#alone.has(header.key);
  }

  /** From here on a program has isolates of its own, and nobody begins in the one it shared. */
  #part(program: Program, shared: SharedIsolate): void {
    this.#alone.add(program.header.key);
    for (const oldest of this.#alone) {
      if (this.#alone.size <= ALONE_MAX) break;
      this.#alone.delete(oldest);
    }
    for (const place of program.idle.filter((one) => one.shared !== undefined)) this.#retire(program, place);
    this.#close(shared);
  }

  /** Takes everybody out of an isolate; who runs there may end first, unless the isolate is gone. */
  #close(shared: SharedIsolate): void {
    shared.closed = true;
    for (const place of shared.places) {
      const { program, current } = place;
      if (current === undefined) {
        if (program === undefined) place.dispose();
        else this.#retire(program, place);
      } else if (place.isolate.isDisposed) this.#fail(current, "SandboxCrashed", ISOLATE_ENDED);
    }
  }

  #forget(activation: Activation): void {
    activation.clearTimers();
    this.#activations.delete(activation.number);
    if (activation.place?.current === activation) activation.place.current = undefined;
  }
}

/** What an isolate that others are in holds is theirs, as far as it was looked at. */
function noteBefore(activation: Activation, { shared }: Place): void {
  activation.memoryBefore = shared?.memorySample ?? 0;
  activation.externalBefore = shared?.externalSample ?? 0;
}

const isFull = ({ memoryMb, memorySample }: Place): boolean => memorySample > memoryMb * MiB * RESTING_MAX;

function coldReasonOf(program: Program): (typeof COLD_REASONS)[number] {
  if (!program.everStarted) return "first_use";
  if (program.header.isolation === "fresh") return "isolation_fresh";
  return program.places > 0 ? "no_idle_isolate" : "evicted";
}

/**
 * A time-out is a timer that stays behind when its slice is over, and wakes a thread once it would have passed. On a grid
 * those of 32 ms fall into one, in which a wake is for several.
 * @returns at least as many milliseconds; short ones as they are
 */
function onGrid(timeoutMs: number): number {
  if (timeoutMs < 16 * TIMEOUT_GRID_MS) return timeoutMs;
  const now = performance.now();
  return Math.ceil(Math.ceil((now + timeoutMs) / TIMEOUT_GRID_MS) * TIMEOUT_GRID_MS - now);
}

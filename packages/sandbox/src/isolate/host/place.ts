import { BOOTSTRAP_GLOBAL } from "@sous/guest";
import ivm from "isolated-vm";
import type { Activation } from "./activation.ts";
import type { Program } from "./program.ts";

type Compiled<T> = T & { cachedData?: ivm.ExternalCopy<ArrayBuffer> };

/** Code of ours that runs in contexts, compiled with V8's own cache of an earlier compile. */
export class GuestCode {
  readonly #source: string;
  readonly #filename: string;
  #cache: ivm.ExternalCopy<ArrayBuffer> | undefined;

  /** @param cache what `cache` of the same code was elsewhere; V8 passes over what does not fit */
  constructor(source: string, filename: string, cache?: Uint8Array) {
    this.#source = source;
    this.#filename = filename;
    if (cache !== undefined) this.#cache = new ivm.ExternalCopy(Uint8Array.from(cache).buffer);
  }

  /** V8's compiled form, where it is kept. */
  get cache(): Uint8Array | undefined {
    const bytes = this.#cache?.copy();
    return bytes === undefined ? undefined : new Uint8Array(bytes);
  }

  run(isolate: ivm.Isolate, context: ivm.Context): void {
    const filename = this.#filename;
    const options = this.#cache === undefined ? { filename } : { filename, cachedData: this.#cache };
    const script = isolate.compileScriptSync(this.#source, options);
    script.runSync(context);
    script.release();
  }

  /**
   * Keeps V8's cache of this code. In an isolate that has run it the cache holds the functions that were used
   * too: contexts made from it are ready in less than half the time.
   */
  remember(isolate: ivm.Isolate): void {
    const options = { filename: this.#filename, produceCachedData: true } as const;
    const script = isolate.compileScriptSync(this.#source, options) as Compiled<ivm.Script>;
    this.#cache = script.cachedData;
    script.release();
  }
}

/** What user code can cause outside its place; each is called inside a slice and returns at once. */
export interface PlaceEvents {
  reply(
    activation: Activation,
    statusCode: number,
    headersJson: string,
    body: string,
    base64: boolean,
    cookiesJson: string,
  ): void;
  fail(activation: Activation, type: string, message: string, stack: string, budget: string): void;
  call(activation: Activation, callId: number, operation: string, argumentsJson: string): void;
  log(activation: Activation, level: number, text: string): void;
  /** @returns whether there is room for it */
  timer(activation: Activation, timerId: number, delayMs: number): boolean;
  clearTimer(activation: Activation, timerId: number): void;
}

/** What places are made of. */
export interface PlaceMaker {
  core: GuestCode;
  parts: ReadonlyMap<string, GuestCode>;
  events: PlaceEvents;
  randomBytes(length: number): Buffer;
}

/** An isolate in which several places are, each with a context of its own. */
export interface SharedIsolate {
  readonly isolate: ivm.Isolate;
  readonly places: Set<Place>;
  /** Takes nobody any more, and ends with the last activation in it. */
  closed: boolean;
  /** Bytes it held when that was last asked, and how many of them outside the heap. */
  memorySample: number;
  externalSample: number;
}

type Entry = ivm.Reference;

/** What a handler is called with. */
type Call = Pick<Activation, "contextJson" | "sharedContextJson" | "eventJson">;

/** A context of an isolate with the guest in it: where one activation runs at a time. */
export class Place {
  readonly isolate: ivm.Isolate;
  readonly memoryMb: number;
  /** Whom it shares its isolate with, if with anybody. */
  readonly shared: SharedIsolate | undefined;
  /** Whose it is; nobody's until a program is loaded. */
  program: Program | undefined;
  /** The activation that runs here, if any. What user code says outside one is dropped. */
  current: Activation | undefined;
  lastUsedMs = 0;
  /** Whether the program's modules are evaluated in the present context. */
  loaded = false;
  /** Bytes it held when that was last asked, and how many of them outside the heap. */
  memorySample = 0;
  externalSample = 0;
  uses = 0;
  readonly #maker: PlaceMaker;
  #context: ivm.Context;
  #sharedContextJson = "";
  #entries: { adopt: Entry; start: Entry; settle: Entry; fire: Entry };

  /** @param shared the isolate to be in (one of its own) */
  constructor(maker: PlaceMaker, memoryMb: number, shared?: SharedIsolate) {
    this.#maker = maker;
    this.memoryMb = memoryMb;
    this.shared = shared;
    this.isolate = shared?.isolate ?? new ivm.Isolate({ memoryLimit: memoryMb });
    this.#context = this.isolate.createContextSync();
    this.#entries = this.#bootstrap();
    shared?.places.add(this);
  }

  get context(): ivm.Context {
    return this.#context;
  }

  get usable(): boolean {
    return !this.isolate.isDisposed && this.shared?.closed !== true;
  }

  /** Whether activations of others are under way in its isolate. */
  get hasCompany(): boolean {
    for (const other of this.shared?.places ?? [])
      if (other !== this && other.current !== undefined) return true;
    return false;
  }

  /** Replaces the context by a fresh one in the same isolate. */
  renew(): void {
    this.#release();
    this.loaded = false;
    this.#sharedContextJson = "";
    this.#context = this.isolate.createContextSync();
    this.#entries = this.#bootstrap();
  }

  /** @returns the empty string, or why the module has no handler */
  adopt(namespace: ivm.Reference, handler: string, timeoutMs: number): string {
    const args = [namespace.derefInto(), handler];
    return String(this.#entries.adopt.applySync(undefined, args, { timeout: timeoutMs }));
  }

  start({ contextJson, sharedContextJson, eventJson }: Call, timeoutMs: number): void {
    // The guest keeps what it was told last.
    const shared = sharedContextJson === this.#sharedContextJson ? "" : sharedContextJson;
    this.#sharedContextJson = sharedContextJson;
    this.#entries.start.applySync(undefined, [contextJson, eventJson, shared], { timeout: timeoutMs });
  }

  settle(callId: number, ok: boolean, payload: string, code: string, timeoutMs: number): void {
    const args = [callId, ok, payload, code];
    this.#entries.settle.applySync(undefined, args, { timeout: timeoutMs });
  }

  fire(timerId: number, timeoutMs: number): void {
    this.#entries.fire.applySync(undefined, [timerId], { timeout: timeoutMs });
  }

  /** Asks V8 how many bytes it holds on and off the heap; nothing when the isolate is gone. */
  sampleMemory(): void {
    this.memorySample = 0;
    this.externalSample = 0;
    if (this.isolate.isDisposed) return;
    const heap = this.isolate.getHeapStatisticsSync();
    this.externalSample = heap.externally_allocated_size;
    this.memorySample = heap.used_heap_size + heap.externally_allocated_size;
    if (this.shared === undefined) return;
    this.shared.memorySample = this.memorySample;
    this.shared.externalSample = this.externalSample;
  }

  /** Ends it, and its isolate with the last place in it. */
  dispose(): void {
    this.current = undefined;
    const { isolate, shared } = this;
    if (shared?.places.delete(this) === false || isolate.isDisposed) return;
    if (shared === undefined || shared.places.size === 0) isolate.dispose();
    else this.#release();
  }

  /** Ends what runs in its isolate, whoever's it is; its places are then to be disposed of. */
  endIsolate(): void {
    if (!this.isolate.isDisposed) this.isolate.dispose();
  }

  #release(): void {
    // A reference that is not released pins its context.
    for (const entry of Object.values(this.#entries)) entry.release();
    this.#context.release();
  }

  #bootstrap(): { adopt: Entry; start: Entry; settle: Entry; fire: Entry } {
    this.#maker.core.run(this.isolate, this.#context);
    const boot = this.#context.global.getSync(BOOTSTRAP_GLOBAL, { reference: true });
    this.#context.global.deleteSync(BOOTSTRAP_GLOBAL);
    const api = boot.applySync(undefined, this.#callbacks(), { result: { reference: true } });
    const entry = (name: string): Entry => api.getSync(name as never, { reference: true });
    const entries = {
      adopt: entry("adopt"),
      start: entry("start"),
      settle: entry("settle"),
      fire: entry("fire"),
    };
    boot.release();
    api.release();
    return entries;
  }

  /**
   * The callbacks of `GuestHost`, in its order. The guest's bootstrap keeps them from user code, but they
   * still take nothing on trust: wrong types are dropped, and none of them throws but where there is no stack left.
   */
  #callbacks(): ivm.Callback[] {
    const { events, parts, randomBytes } = this.#maker;
    const during = (act: (activation: Activation) => void): void => {
      const activation = this.current;
      if (activation !== undefined) act(activation);
    };
    const reply = (
      status: unknown,
      headers: unknown,
      body: unknown,
      base64: unknown,
      cookies: unknown,
    ): void =>
      during((a) =>
        events.reply(a, Number(status), text(headers), text(body), base64 === true, text(cookies)),
      );
    const fail = (type: unknown, message: unknown, stack: unknown, budget: unknown): void =>
      during((a) => events.fail(a, text(type), text(message), text(stack), text(budget)));
    const call = (id: unknown, operation: unknown, args: unknown): void =>
      during((a) => events.call(a, whole(id), text(operation), text(args)));
    const log = (level: unknown, line: unknown): void =>
      during((a) => events.log(a, whole(level), text(line)));
    const timer = (id: unknown, delay: unknown): boolean =>
      this.current === undefined ||
      events.timer(this.current, whole(id), Math.min(Number(delay) || 0, 2 ** 31 - 1));
    const clearTimer = (id: unknown): void => during((a) => events.clearTimer(a, whole(id)));
    const random = (length: unknown): string =>
      randomBytes(Math.min(Math.max(whole(length), 0), 65_536)).toString("latin1");
    const now = (): number => (this.current === undefined ? 0 : performance.now() - this.current.startedAt);
    const load = (name: unknown): void => parts.get(text(name))?.run(this.isolate, this.#context);
    return [reply, fail, call, log, timer, clearTimer, random, now, load].map(
      (run) => new ivm.Callback(quiet(run)),
    );
  }
}

/** What is thrown in a callback goes on in user code, which may read its stack: the host's frames are not for it. */
function quiet<A extends unknown[], R>(run: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    try {
      return run(...args);
    } catch (error) {
      if (error instanceof Error) error.stack = `${error.name}: ${error.message}`;
      throw error;
    }
  };
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const whole = (value: unknown): number => (typeof value === "number" ? value >>> 0 : 0);

import { randomBytes } from "node:crypto";
import { LIMITS } from "@sous/contract/limits";
import ivm from "isolated-vm";
import { type GuestBundle, loadGuestBundle } from "../../../sandbox/src/isolate/guest-bundle.ts";
import { BOOTSTRAP_GLOBAL, GUEST_CALLBACKS, type GuestApi, type GuestHost } from "../abi.ts";

/** How an activation ended, as its host heard it. */
export type Ending =
  | {
      kind: "reply";
      statusCode: number;
      headers: Record<string, string>;
      /** Absent when the guest told of none. */
      cookies?: string[];
      body: string;
      isBase64Encoded: boolean;
    }
  | { kind: "fail"; type: string; message: string; stack: string; budget: string }
  /** The host ended a slice: timeout, memory. */
  | { kind: "stopped"; message: string }
  /** Nothing is left to happen, and nobody answered. */
  | { kind: "silent" };

export interface SeenCall {
  operation: string;
  arguments: unknown[];
}
export type CallAnswer = { json: string } | { code: string; message: string } | undefined;

export interface GuestRun {
  ending: Ending;
  /** How often the guest reported an end. */
  endings: number;
  /** `info hello`, one for each line. */
  logs: string[];
  calls: SeenCall[];
  /** Most host calls that were open at a time. */
  openMax: number;
  loads: string[];
  /** Timers that were alive at the end. */
  timersLeft: number;
  heapBytes: number;
}

export interface GuestRunOptions {
  event?: unknown;
  context?: object;
  sharedContext?: object;
  handler?: string;
  timeoutMs?: number;
  memoryMb?: number;
  /** Answers a host call; `undefined` leaves it open. */
  answer?(call: SeenCall): CallAnswer;
}

type Step = { atMs: number; run(): void };
const LEVELS = ["debug", "info", "warn", "error"];
const TURNS_MAX = 20_000;

/**
 * Plays the host for one activation of a module, in a real isolate. Time is virtual: timers fire in order,
 * nothing waits.
 */
export async function runGuest(code: string, options: GuestRunOptions = {}): Promise<GuestRun> {
  const isolate = new ivm.Isolate({ memoryLimit: options.memoryMb ?? 64 });
  const run: GuestRun = {
    ending: { kind: "silent" },
    endings: 0,
    logs: [],
    calls: [],
    openMax: 0,
    loads: [],
    timersLeft: 0,
    heapBytes: 0,
  };
  try {
    await play(isolate, await loadGuestBundle(), code, options, run);
    run.heapBytes = isolate.isDisposed ? 0 : isolate.getHeapStatisticsSync().used_heap_size;
  } catch (error) {
    run.ending = { kind: "stopped", message: (error as Error).message };
  } finally {
    if (!isolate.isDisposed) isolate.dispose();
  }
  return run;
}

async function play(
  isolate: ivm.Isolate,
  bundle: GuestBundle,
  code: string,
  options: GuestRunOptions,
  run: GuestRun,
): Promise<void> {
  const timeout = options.timeoutMs ?? 5000;
  const steps: Step[] = [];
  const timers = new Map<number, Step>();
  const context = isolate.createContextSync();
  let nowMs = 0;
  let open = 0;
  const at = (delayMs: number, act: () => void): Step => {
    const step = { atMs: nowMs + delayMs, run: act };
    steps.push(step);
    return step;
  };
  const host: GuestHost = {
    reply(statusCode, headersJson, body, isBase64Encoded, cookiesJson) {
      run.endings++;
      const headers = JSON.parse(headersJson) as Record<string, string>;
      run.ending = { kind: "reply", statusCode, headers, body, isBase64Encoded };
      if (cookiesJson !== "") run.ending.cookies = JSON.parse(cookiesJson) as string[];
    },
    fail(type, message, stack, budget) {
      run.endings++;
      run.ending = { kind: "fail", type, message, stack, budget };
    },
    call(callId, operation, argumentsJson) {
      const call = { operation, arguments: JSON.parse(argumentsJson) as unknown[] };
      run.calls.push(call);
      run.openMax = Math.max(run.openMax, ++open);
      at(1, () => {
        const answer = options.answer === undefined ? { json: "null" } : options.answer(call);
        if (answer === undefined) return;
        open--;
        if ("json" in answer) api.settle(callId, true, answer.json, "");
        else api.settle(callId, false, answer.message, answer.code);
      });
    },
    log: (level, text) => void run.logs.push(`${LEVELS[level]} ${text}`),
    timer(timerId, delayMs) {
      if (timers.size >= LIMITS.timersMax) return false;
      const step = at(delayMs, () => fire(timerId));
      timers.set(timerId, step);
      return true;
    },
    clearTimer(timerId) {
      const step = timers.get(timerId);
      if (step !== undefined) steps.splice(steps.indexOf(step), 1);
      timers.delete(timerId);
    },
    random: (byteLength) => randomBytes(byteLength).toString("latin1"),
    now: () => nowMs,
    load(part) {
      run.loads.push(part);
      const source = bundle.parts[part];
      if (source !== undefined) isolate.compileScriptSync(source).runSync(context);
    },
  };
  const fire = (timerId: number): void => {
    timers.delete(timerId);
    api.fire(timerId);
  };
  const api = furnish(isolate, context, bundle, host, timeout);
  await evaluate(isolate, context, code, api, options, run);
  for (let turn = 0; steps.length > 0 && turn < TURNS_MAX; turn++) {
    if (run.endings > 0) break;
    steps.sort((a, b) => a.atMs - b.atMs);
    const step = steps.shift() as Step;
    nowMs = Math.max(nowMs, step.atMs);
    step.run();
  }
  run.timersLeft = timers.size;
}

/** The entry points of a furnished context, and the way to let go of them. */
export interface Entries extends Omit<GuestApi, "adopt"> {
  adopt(namespace: ivm.Reference, handler: string): string;
  /** A reference that is kept pins its context: each is let go of before the context is. */
  release(): void;
}

/** Takes the bootstrap out of the context as the sandbox's host does. */
export function furnish(
  isolate: ivm.Isolate,
  context: ivm.Context,
  bundle: GuestBundle,
  host: GuestHost,
  timeout: number,
): Entries {
  isolate.compileScriptSync(bundle.core).runSync(context);
  const bootstrap = context.global.getSync(BOOTSTRAP_GLOBAL, { reference: true });
  context.global.deleteSync(BOOTSTRAP_GLOBAL);
  const callbacks = GUEST_CALLBACKS.map(
    (name) => new ivm.Callback((...items: unknown[]): unknown => Reflect.apply(host[name], host, items)),
  );
  const api = bootstrap.applySync(undefined, callbacks, {
    result: { reference: true },
  }) as ivm.Reference<GuestApi>;
  const held: ivm.Reference[] = [bootstrap, api];
  const entry = (name: keyof GuestApi) => {
    const reference = api.getSync(name, { reference: true });
    held.push(reference as ivm.Reference);
    return (...items: unknown[]): unknown => reference.applySync(undefined, items as never, { timeout });
  };
  const [adopt, start, settle, fire] = [entry("adopt"), entry("start"), entry("settle"), entry("fire")];
  return {
    adopt: (namespace, handler) => adopt(namespace.derefInto(), handler) as string,
    start: (contextJson, eventJson, shared) => void start(contextJson, eventJson, shared),
    settle: (callId, ok, payload, failure) => void settle(callId, ok, payload, failure),
    fire: (timerId) => void fire(timerId),
    release() {
      for (const reference of held) reference.release();
    },
  };
}

async function evaluate(
  isolate: ivm.Isolate,
  context: ivm.Context,
  code: string,
  api: Entries,
  options: GuestRunOptions,
  run: GuestRun,
): Promise<void> {
  const module = isolate.compileModuleSync(code, { filename: "function/index.js" });
  module.instantiateSync(context, () => {
    throw new Error("imports are not allowed");
  });
  await module.evaluate({ timeout: options.timeoutMs ?? 5000 });
  const problem = api.adopt(module.namespace, options.handler ?? "default");
  if (problem !== "") {
    run.ending = { kind: "fail", type: "BundleError", message: problem, stack: "", budget: "" };
    return;
  }
  const described = { activation_id: "a", trigger: { type: "api", source: {} }, deadline_ms: 0 };
  const contextJson = JSON.stringify({ ...described, ...options.context });
  api.start(contextJson, JSON.stringify(options.event ?? null), JSON.stringify(options.sharedContext ?? {}));
}

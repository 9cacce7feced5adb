/**
 * The border between a guest (the code inside an isolate's context) and its sandbox host. Both sides pass
 * primitives only. The guest never sees the callbacks themselves: the bootstrap keeps them in closures,
 * bounds every string before the call and ignores what user code does to the built-ins afterwards.
 */

/** What the host gives the bootstrap: synchronous callbacks, each returns at once. */
export interface GuestHost {
  /**
   * The handler's answer. Called at most once an activation.
   * @param cookiesJson an array of strings; empty when there are none
   */
  reply(
    statusCode: number,
    headersJson: string,
    body: string,
    isBase64Encoded: boolean,
    cookiesJson: string,
  ): void;
  /** The handler failed. Called at most once an activation, never after `reply`. */
  fail(
    type: "Exception" | "CapabilityDenied" | "BudgetExceeded" | "ResultTooLarge" | "BundleError",
    message: string,
    stack: string,
    /** The budget an uncaught error told of, with `BudgetExceeded`; user code may have made it up. */
    budget: string,
  ): void;
  /** Starts a host call; its answer comes through `GuestApi.settle`. */
  call(callId: number, operation: string, argumentsJson: string): void;
  /** @param level 0 debug, 1 info, 2 warn, 3 error */
  log(level: number, text: string): void;
  /** Asks for `GuestApi.fire(timerId)` after the delay, once. @returns `false` when too many are alive */
  timer(timerId: number, delayMs: number): boolean;
  clearTimer(timerId: number): void;
  /** @returns cryptographically random bytes, one character each (code units 0–255); at most 65536 */
  random(byteLength: number): string;
  /** @returns milliseconds since the activation started, with fractions */
  now(): number;
  /**
   * Runs the script of the lazy part of that name in the guest's context, at once, inside the callback. The script
   * does nothing but hand its factory to the bootstrap: it needs no timeout of its own, and the part's code runs
   * in the slice that asked for it. A name without a script is ignored.
   */
  load(part: string): void;
}

/** The order in which the bootstrap takes the callbacks: `bootstrap(reply, fail, …)`. */
export const GUEST_CALLBACKS = [
  "reply",
  "fail",
  "call",
  "log",
  "timer",
  "clearTimer",
  "random",
  "now",
  "load",
] as const satisfies readonly (keyof GuestHost)[];

/**
 * What the bootstrap gives the host: a frozen object with four functions as own properties, held as references the
 * guest cannot reach. The host bounds each call by the slice's timeout; all four may run user code.
 */
export interface GuestApi {
  /**
   * Finds the handler among the exports of the entry module.
   * @param namespace the module's namespace object
   * @param handler `default` or the name of an export
   * @returns the empty string, or why there is no handler
   */
  adopt(namespace: object, handler: string): string;
  /**
   * Runs the handler once; ends in `GuestHost.reply` or `GuestHost.fail`, now or later.
   * @param contextJson the members of the handler's second argument that are this activation's own
   * @param sharedContextJson the others, where they differ from those of the activation before, else empty
   */
  start(contextJson: string, eventJson: string, sharedContextJson: string): void;
  /** The answer to a host call. @param payload JSON text when ok, else the error's message */
  settle(callId: number, ok: boolean, payload: string, code: string): void;
  fire(timerId: number): void;
}

/**
 * The name of the global the core script leaves for the host, which takes and deletes it at once and calls it
 * with `GUEST_CALLBACKS` as positional arguments. It returns a `GuestApi`.
 */
export const BOOTSTRAP_GLOBAL = "__sous_guest__";

/** The operations of host calls, as they stand in `GuestHost.call`. */
export const HOST_OPERATIONS = [
  "kv.get",
  "kv.set",
  "kv.del",
  "codeq.publish",
  "http.fetch",
  "cadence.heartbeat",
  "secrets.get",
] as const;
export type HostOperation = (typeof HOST_OPERATIONS)[number];

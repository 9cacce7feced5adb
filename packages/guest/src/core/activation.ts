import type { GuestHost } from "../abi.ts";
import type { FetchFace } from "../part-context.ts";
import { cutText } from "./bounded-text.ts";
import { apply, dateNow, define, freeze, max, parseJson, slice } from "./primordials.ts";
import { answerOf } from "./result.ts";
import { readThrown } from "./thrown.ts";

type Handler = (event: unknown, context: object) => unknown;

export interface ActivationOptions {
  host: GuestHost;
  /** Loads what fetch-style handlers need. */
  fetchFace(): FetchFace;
  /** The same where something has loaded it; before, there is no Response that a handler could return. */
  loadedFace(): FetchFace | undefined;
  /** Runs just before the host hears how the activation ended. */
  beforeEnd(): void;
}

export interface Activation {
  adopt(namespace: object, handler: string): string;
  start(contextJson: string, eventJson: string, sharedContextJson: string): void;
  /** Ends the activation because of an error nobody caught: in a timer, a microtask, a handler. */
  crash(thrown: unknown): void;
}

/**
 * The one activation an isolate runs at a time.
 *
 * idle ── start ──▶ running ── reply | fail ──▶ idle. What an earlier handler still does when the next one
 * has started is not heard: each run carries its number.
 */
export function createActivation(options: ActivationOptions): Activation {
  const { host, fetchFace, loadedFace, beforeEnd } = options;
  let handler: Handler | undefined;
  let running = 0;
  let runs = 0;
  let shared: SharedContext = NOTHING_SHARED;

  const fail = (
    type: Parameters<GuestHost["fail"]>[0],
    message: string,
    stack: string,
    budget = "",
  ): void => {
    running = 0;
    beforeEnd();
    host.fail(type, message, stack, budget);
  };

  const crashed = (run: number, thrown: unknown): void => {
    if (run === 0 || run !== running) return;
    const read = readThrown(thrown);
    // Reading may have run user code that ended the activation another way.
    if (run === running) fail(read.type, read.message, read.stack, read.budget);
  };

  const finish = (run: number, value: unknown): void => {
    if (run !== running) return;
    const answer = answerOf(value);
    if (run !== running) return;
    if (answer.kind === "invalid") return fail("Exception", answer.message, "");
    if (answer.kind === "too-large") return fail("ResultTooLarge", answer.message, "");
    running = 0;
    beforeEnd();
    const { statusCode, headersJson, body, isBase64Encoded, cookiesJson } = answer;
    host.reply(statusCode, headersJson, body, isBase64Encoded, cookiesJson);
  };

  const execute = async (
    run: number,
    contextJson: string,
    eventJson: string,
    sharedContextJson: string,
  ): Promise<void> => {
    try {
      if (sharedContextJson !== "") shared = readShared(sharedContextJson);
      if (handler === undefined) return fail("BundleError", "no handler was adopted", "");
      const context = createContext(contextJson, shared);
      const returned = handler(parseJson(eventJson), context);
      const value = isObject(returned) ? await returned : returned;
      const face = isObject(value) ? loadedFace() : undefined;
      finish(run, face?.isResponse(value as object) === true ? await face.toResult(value) : value);
    } catch (thrown) {
      crashed(run, thrown);
    }
  };

  return {
    adopt(namespace, name) {
      handler = undefined;
      try {
        const found = (namespace as Record<string, unknown>)[name];
        if (typeof found === "function") {
          handler = (event, context) => apply(found, undefined, [event, context]);
          return "";
        }
        const fetch = isObject(found) ? (found as { fetch?: unknown }).fetch : undefined;
        if (typeof fetch === "function") {
          handler = fetchStyle(fetch, found, fetchFace);
          return "";
        }
        return whyNoHandler(name, found);
      } catch (thrown) {
        return cutText(
          `the export "${slice(name, 0, 64)}" cannot be read: ${readThrown(thrown).message}`,
          4096,
        );
      }
    },
    start(contextJson, eventJson, sharedContextJson) {
      running = ++runs;
      void execute(running, contextJson, eventJson, sharedContextJson);
    },
    crash: (thrown) => crashed(running, thrown),
  };
}

const isObject = (value: unknown): value is object =>
  (typeof value === "object" && value !== null) || typeof value === "function";

function whyNoHandler(name: string, found: unknown): string {
  const shown = name === "default" ? "default export" : `export "${slice(name, 0, 64)}"`;
  return found === undefined
    ? `the entry module has no ${shown}; export a function, or an object with a function named fetch`
    : `the ${shown} is neither a function nor an object with a function named fetch`;
}

/** WinterTC style: the handler takes a Request and gives a Response; only web events carry a real one. */
function fetchStyle(fetch: Function, self: unknown, face: () => FetchFace): Handler {
  return async (event, context) => {
    const trigger = (context as { trigger?: { type?: unknown } }).trigger;
    const { toRequest, toResult } = face();
    const request = toRequest(event, trigger?.type === "http");
    return toResult(await apply(fetch, self, [request, context]));
  };
}

/** What many activations have in common of the handler's second argument. */
interface SharedContext {
  principal?: { roles?: unknown };
  ref?: object;
  env?: object;
}

const NOTHING_SHARED: SharedContext = { __proto__: null } as SharedContext;

/** Handlers of several activations see the same objects: none can leave a trace in them for the next. */
function readShared(json: string): SharedContext {
  const shared = parseJson(json) as SharedContext;
  const { principal, ref } = shared;
  if (isObject(principal)) {
    if (isObject(principal.roles)) freeze(principal.roles);
    freeze(principal);
  }
  if (isObject(ref)) freeze(ref);
  return shared;
}

/** Makes the handler's second argument: what the platform sent, and how long the handler has left. */
function createContext(contextJson: string, shared: SharedContext): object {
  const context = { ...(parseJson(contextJson) as { deadline_ms?: unknown }), ...shared };
  // Code of others may keep its own settings in `env`: each activation has a copy.
  if (shared.env !== undefined) context.env = { ...shared.env };
  const deadlineMs = typeof context.deadline_ms === "number" ? context.deadline_ms : 0;
  define(context, "remainingMs", (): number => max(0, deadlineMs - dateNow()));
  return freeze(context);
}

import { BOOTSTRAP_GLOBAL, type GuestApi, type GuestHost } from "../abi.ts";
import type { FetchFace, PartContext } from "../part-context.ts";
import { createActivation } from "./activation.ts";
import { createConsole } from "./console.ts";
import { createCs } from "./cs.ts";
import { createHostCalls } from "./host-calls.ts";
import { httpFetchArguments } from "./http-arguments.ts";
import { createParts, defineLazyGlobals } from "./lazy-globals.ts";
import { createLineWriter } from "./log.ts";
import { dateNow, define, freeze, objectKeys } from "./primordials.ts";
import { sealGlobals } from "./seal-globals.ts";
import { createTimers } from "./timers.ts";

const HIDDEN = { writable: true, enumerable: false };
const FIXED = { writable: false, enumerable: true };

/**
 * Furnishes the context: seals the globals, adds ours and gives the host its entry points. Runs once, before
 * any code of a user. The callbacks come one by one, in the order of `GUEST_CALLBACKS`: the border carries no objects.
 */
function bootstrap(
  reply: GuestHost["reply"],
  fail: GuestHost["fail"],
  call: GuestHost["call"],
  log: GuestHost["log"],
  timer: GuestHost["timer"],
  clearTimer: GuestHost["clearTimer"],
  random: GuestHost["random"],
  now: GuestHost["now"],
  load: GuestHost["load"],
): GuestApi {
  const host: GuestHost = { reply, fail, call, log, timer, clearTimer, random, now, load };
  sealGlobals();
  const write = createLineWriter(host);
  const calls = createHostCalls(host);
  const cs = createCs(calls, write);
  const { part, loadedPart } = createParts(host, () => context);
  const activation = createActivation({
    host,
    fetchFace: () => part("fetch")["face"] as FetchFace,
    loadedFace: () => loadedPart("fetch")?.["face"] as FetchFace | undefined,
    beforeEnd: () => timers.clearBackground(),
  });
  const timers = createTimers(host, activation.crash);
  const context: PartContext = freeze<PartContext>({
    now,
    random,
    part,
    httpFetch: (url: string, options: object) =>
      calls.call("http.fetch", () => httpFetchArguments(url, options)),
    startBackgroundTimer: timers.startBackground,
    crash: activation.crash,
  });
  define(globalThis, "cs", cs, FIXED);
  define(globalThis, "console", createConsole(write, now), HIDDEN);
  define(globalThis, "performance", freeze({ now: () => now(), timeOrigin: dateNow() }), HIDDEN);
  defineAll(timers.globals);
  defineLazyGlobals(part);
  return freeze({
    __proto__: null,
    adopt: activation.adopt,
    start: activation.start,
    settle: calls.settle,
    fire: timers.fire,
  } as GuestApi);
}

function defineAll(members: object): void {
  const names = objectKeys(members);
  for (let index = 0; index < names.length; index++) {
    const name = names[index] as string;
    define(globalThis, name, (members as Record<string, unknown>)[name], HIDDEN);
  }
}

(globalThis as Record<string, unknown>)[BOOTSTRAP_GLOBAL] = bootstrap;

import type { GuestHost } from "../abi.ts";
import { apply, max, min, NativeTypeError, objectKeys, type Table, toNumber } from "./primordials.ts";
import { budgetError } from "./thrown.ts";

/** Longest delay of the web's timers, in milliseconds: 2^31 - 1. */
const DELAY_MS_MAX = 2_147_483_647;
const DELAY_MS_MIN = 1;

interface Timer {
  callback: Function;
  items: unknown[];
  delayMs: number;
  repeats: boolean;
}

export interface Timers {
  /** The functions users call; they become globals. */
  readonly globals: {
    setTimeout(callback: unknown, delay?: unknown, ...items: unknown[]): number;
    setInterval(callback: unknown, delay?: unknown, ...items: unknown[]): number;
    clearTimeout(timerId: unknown): void;
    clearInterval(timerId: unknown): void;
    queueMicrotask(callback: unknown): void;
  };
  fire(timerId: number): void;
  /** A timer that must not outlive the answer, for what users start without knowing (`AbortSignal.timeout`). */
  startBackground(callback: () => void, delayMs: number): void;
  /** Clears the timers of `startBackground`. */
  clearBackground(): void;
}

/**
 * Timers over the host's clock, at most as many alive as the host takes.
 * @param crash hears what a callback throws
 */
export function createTimers(host: GuestHost, crash: (thrown: unknown) => void): Timers {
  const live = { __proto__: null } as unknown as Table<Timer>;
  let lastId = 0;

  const begin = (callback: unknown, delay: unknown, items: unknown[], repeats: boolean): number => {
    if (typeof callback !== "function") throw new NativeTypeError("a timer needs a function");
    const delayMs = min(max(toNumber(delay) || 0, DELAY_MS_MIN), DELAY_MS_MAX);
    const id = ++lastId;
    if (!host.timer(id, delayMs)) {
      throw budgetError("too many timers are alive; clear some first, or raise budgets.timers", "timers");
    }
    live[id] = { callback, items, delayMs, repeats };
    return id;
  };

  const background = { __proto__: null } as unknown as Table<boolean>;

  const clear = (given: unknown): void => {
    const id = toNumber(given);
    if (live[id] === undefined) return;
    delete live[id];
    delete background[id];
    host.clearTimer(id);
  };

  return {
    globals: {
      setTimeout: (callback: unknown, delay?: unknown, ...items: unknown[]) =>
        begin(callback, delay, items, false),
      setInterval: (callback: unknown, delay?: unknown, ...items: unknown[]) =>
        begin(callback, delay, items, true),
      clearTimeout: clear,
      clearInterval: clear,
      queueMicrotask(callback: unknown) {
        if (typeof callback !== "function") throw new NativeTypeError("queueMicrotask needs a function");
        void soon(callback, crash);
      },
    },
    fire(timerId) {
      const timer = live[timerId];
      if (timer === undefined) return;
      if (timer.repeats) host.timer(timerId, timer.delayMs);
      else {
        delete live[timerId];
        delete background[timerId];
      }
      try {
        apply(timer.callback, undefined, timer.items);
      } catch (thrown) {
        crash(thrown);
      }
    },
    startBackground(callback, delayMs) {
      background[begin(callback, delayMs, [], false)] = true;
    },
    clearBackground() {
      const ids = objectKeys(background);
      for (let index = 0; index < ids.length; index++) clear(ids[index]);
    },
  };
}

/** Runs a function in a microtask of its own: `await` of nothing is the one way there that cannot be tampered with. */
async function soon(callback: Function, crash: (thrown: unknown) => void): Promise<void> {
  await undefined;
  try {
    apply(callback, undefined, []);
  } catch (thrown) {
    crash(thrown);
  }
}

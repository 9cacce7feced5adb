import type { SetTimer } from "../memory/alarm.ts";

/** A clock that stands until it is moved, with the timers that belong to it. */
export interface VirtualTime {
  /** Now, in milliseconds. */
  clock: () => number;
  setTimer: SetTimer;
  /** Moves on, running every timer that falls due at its own moment. */
  advance(ms: number): void;
  /** Timers that are armed. */
  readonly armed: number;
}

/** @param startMs the first moment (one that looks like a real one) */
export function createVirtualTime(startMs = 1_800_000_000_000): VirtualTime {
  interface Timer {
    atMs: number;
    run: () => void;
  }
  const timers = new Set<Timer>();
  let nowMs = startMs;
  const earliest = (untilMs: number): Timer | undefined => {
    let first: Timer | undefined;
    for (const timer of timers) {
      if (timer.atMs <= untilMs && (first === undefined || timer.atMs < first.atMs)) first = timer;
    }
    return first;
  };
  return {
    clock: () => nowMs,
    setTimer(run, delayMs) {
      const timer = { atMs: nowMs + delayMs, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(ms) {
      const untilMs = nowMs + ms;
      for (let timer = earliest(untilMs); timer !== undefined; timer = earliest(untilMs)) {
        timers.delete(timer);
        nowMs = Math.max(nowMs, timer.atMs);
        timer.run();
      }
      nowMs = untilMs;
    },
    get armed() {
      return timers.size;
    },
  };
}

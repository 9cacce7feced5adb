/** A timer that rings so much too late tells of this process: it stood still (suspended, or its machine asleep), milliseconds. */
const STOOD_STILL_MS = 250;
/** One that is late again and again is busy: it gets no more time than this often. */
const STANDS_MAX = 3;

/**
 * A timer by the time of this process. Where it stood still meanwhile nobody it waits for has had his time: their answers
 * may lie in the sockets, unread. Timers ring before those are read.
 */
export interface OwnTimer {
  /** Whether this process stood still since it began. */
  readonly stoodStill: boolean;
  stop(): void;
}

/** @param onRing called once, after so many milliseconds through which this process was at work */
export function startOwnTimer(ms: number, onRing: () => void): OwnTimer {
  const own = { stoodStill: false, stop: () => clearTimeout(timer) };
  let timer: NodeJS.Timeout;
  let stands = 0;
  const start = (): void => {
    const dueMs = performance.now() + ms;
    timer = setTimeout(() => {
      if (performance.now() - dueMs < STOOD_STILL_MS || stands++ === STANDS_MAX) return onRing();
      own.stoodStill = true;
      start();
    }, ms);
    timer.unref();
  };
  start();
  return own;
}

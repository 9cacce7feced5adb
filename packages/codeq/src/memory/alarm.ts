/** Runs `run` once after a delay. @returns a function that takes the timer back */
export type SetTimer = (run: () => void, delayMs: number) => () => void;

/** Above this, Node's timers fire at once instead of late. */
const DELAY_MAX_MS = 2 ** 31 - 1;

/** The timers of Node. They never keep the process alive by themselves. */
export const systemTimer: SetTimer = (run, delayMs) => {
  const timer = setTimeout(run, delayMs);
  timer.unref();
  return () => clearTimeout(timer);
};

export interface AlarmOptions {
  /** Epoch milliseconds. */
  clock: () => number;
  setTimer: SetTimer;
  /** Called at a requested moment or earlier; whoever still waits asks again. */
  ring: () => void;
}

/**
 * One timer for many moments: it is armed for the earliest one. It is never disarmed when that moment loses
 * its reason, which costs one idle ring and saves a timer operation for each message.
 */
export class Alarm {
  readonly #options: AlarmOptions;
  #armedFor = Infinity;
  #disarm: (() => void) | undefined;
  #closed = false;

  constructor(options: AlarmOptions) {
    this.#options = options;
  }

  /** Makes sure that the alarm rings at `atMs` (epoch milliseconds) or before. */
  ensure(atMs: number): void {
    if (atMs >= this.#armedFor || this.#closed) return;
    this.#disarm?.();
    this.#armedFor = atMs;
    // At least 1 ms: Node may fire a timer a fraction before its moment, and 0 would then spin.
    const delayMs = Math.min(Math.max(1, atMs - this.#options.clock()), DELAY_MAX_MS);
    this.#disarm = this.#options.setTimer(() => this.#ring(), delayMs);
  }

  close(): void {
    this.#closed = true;
    this.#disarm?.();
    this.#disarm = undefined;
  }

  #ring(): void {
    this.#armedFor = Infinity;
    this.#disarm = undefined;
    this.#options.ring();
  }
}

import { processorTimeOf } from "./process-usage.ts";

/** So many times as long as a slow slice it is slow without a processor too: its process may be stopped. */
const SLOW_ANYWAY = 10;

interface Seen {
  slice: number;
  sinceMs: number;
  lastMs: number;
  /** Memory of the process when the slice was first seen. */
  bytes: number;
  /** When it was seen the second time, and the processor time its process had had by then. */
  again: { atMs: number; processorMs: number | undefined } | undefined;
  slow: boolean;
}

/** What a look at the slice tells beside what was known. */
export interface Look {
  /** Milliseconds for which it was seen to hold the sandbox since the last look. */
  heldMs: number;
  /** Bytes its process grew by since it was first seen. */
  grownBytes: number;
  /** Set once a slice: how long it lasts, in milliseconds, when that is found too long. */
  slowMs: number | undefined;
}

const NOTHING: Look = { heldMs: 0, grownBytes: 0, slowMs: undefined };

/**
 * Follows the slice that holds a sandbox, from looks every few milliseconds. It is slow when it lasts too long and had a
 * processor for half of that: on a machine with too much to do every slice lasts long, and more sandboxes make it worse.
 */
export class SliceWatch {
  readonly #pid: number | undefined;
  readonly #slowMs: number;
  #seen: Seen = { slice: 0, sinceMs: 0, lastMs: 0, bytes: 0, again: undefined, slow: false };

  /** @param slowMs from when on a slice lasts too long, in milliseconds */
  constructor(pid: number | undefined, slowMs: number) {
    this.#pid = pid;
    this.#slowMs = slowMs;
  }

  /** Whether the slice that was seen last is too slow to wait behind. */
  get slow(): boolean {
    return this.#seen.slow;
  }

  /**
   * @param slice number of the slice that holds the sandbox, 0 if none does
   * @param bytes memory of its process
   */
  look(slice: number, bytes: number, nowMs: number): Look {
    const seen = this.#seen;
    if (slice === 0 || slice !== seen.slice) {
      this.#seen = { slice, sinceMs: nowMs, lastMs: nowMs, bytes, again: undefined, slow: false };
      return NOTHING;
    }
    const heldMs = nowMs - seen.lastMs;
    seen.lastMs = nowMs;
    const isNews = !seen.slow && this.#isSlow(seen, nowMs);
    if (isNews) seen.slow = true;
    return { heldMs, grownBytes: bytes - seen.bytes, slowMs: isNews ? nowMs - seen.sinceMs : undefined };
  }

  #isSlow(seen: Seen, nowMs: number): boolean {
    const processorMs = this.#pid === undefined ? undefined : processorTimeOf(this.#pid);
    seen.again ??= { atMs: nowMs, processorMs };
    const lastedMs = nowMs - seen.sinceMs;
    if (lastedMs < this.#slowMs) return false;
    const { again } = seen;
    if (processorMs === undefined || again.processorMs === undefined) return true;
    if (lastedMs >= this.#slowMs * SLOW_ANYWAY) return true;
    return nowMs > again.atMs && processorMs - again.processorMs >= (nowMs - again.atMs) / 2;
  }
}

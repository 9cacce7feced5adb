export interface BatcherOptions<Item, Reply> {
  /** Sends a batch. @returns a reply for each item, in their order */
  send(items: readonly Item[]): Promise<readonly Reply[]>;
  /** Batches on their way at a time; what comes meanwhile makes up the next. */
  inFlightMax: number;
  /**
   * What is waited for before the first of a batch goes: the end of what runs now, so that a call that follows in the same
   * turn of the event loop comes behind it; or the end of the turn, when all sockets that have something are read.
   */
  gathers: "this" | "turn";
  /**
   * With `turn`: items that do not wait for its end, but go at the end of the tick (none). Callers that were answered
   * together ask together: without this all of them are in the next batch, and nobody does anything until it is back.
   */
  worth?: number | undefined;
  itemsMax: number;
  /** Of a batch, together; one item may be larger. */
  bytesMax: number;
  bytesOf(item: Item): number;
}

interface Waiting<Item, Reply> {
  item: Item;
  resolve: (reply: Reply) => void;
  reject: (error: unknown) => void;
}

/** Calls back when the callback that runs now is over, with the microtasks that follow from it, or the turn is. */
const AFTER = {
  this: (callback: () => void): void => queueMicrotask(callback),
  tick: (callback: () => void): void => queueMicrotask(() => process.nextTick(callback)),
  turn: (callback: () => void): void => void setImmediate(callback),
};

/**
 * Puts what is asked for together into one call, and what is asked for while calls are on their way into the next: alone,
 * an item goes at once; under load, round trips are shared. Items keep their order.
 */
export class Batcher<Item, Reply> {
  readonly #options: BatcherOptions<Item, Reply>;
  #waiting: Waiting<Item, Reply>[] = [];
  #inFlight = 0;
  #scheduled: keyof typeof AFTER | undefined;

  constructor(options: BatcherOptions<Item, Reply>) {
    this.#options = options;
  }

  add(item: Item): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#schedule();
    });
  }

  /** Settles when everything that was asked for so far has its reply. */
  async settled(): Promise<void> {
    while (this.#inFlight > 0 || this.#waiting.length > 0) await new Promise((again) => setTimeout(again, 5));
  }

  #schedule(): void {
    const { gathers, worth = Infinity, inFlightMax } = this.#options;
    if (this.#waiting.length >= worth && this.#inFlight < inFlightMax) {
      if (this.#scheduled === "tick") return;
      this.#begin("tick");
    } else if (this.#scheduled === undefined) this.#begin(gathers);
  }

  #begin(when: keyof typeof AFTER): void {
    this.#scheduled = when;
    AFTER[when](() => {
      // What waited for the end of the turn may have gone with a tick, and what came since waits for its own.
      if (this.#scheduled !== when) return;
      this.#scheduled = undefined;
      this.#flush();
    });
  }

  #flush(): void {
    while (this.#waiting.length > 0 && this.#inFlight < this.#options.inFlightMax) {
      this.#inFlight++;
      void this.#send(this.#next());
    }
  }

  #next(): Waiting<Item, Reply>[] {
    const { itemsMax, bytesMax, bytesOf } = this.#options;
    let count = 0;
    let bytes = 0;
    for (const { item } of this.#waiting) {
      bytes += bytesOf(item);
      if (count === itemsMax || (count > 0 && bytes > bytesMax)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  async #send(batch: readonly Waiting<Item, Reply>[]): Promise<void> {
    try {
      const replies = await this.#options.send(batch.map(({ item }) => item));
      for (const [at, { resolve }] of batch.entries()) resolve(replies[at] as Reply);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    this.#inFlight--;
    this.#flush();
  }
}

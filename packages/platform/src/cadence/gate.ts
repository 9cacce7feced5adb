/** The places of a worker: so many tasks at work, polls that may bring one included. */
export class Gate {
  #max: number;
  #inUse = 0;
  readonly #waiting = new Set<() => void>();

  constructor(max: number) {
    this.#max = max;
  }

  get inUse(): number {
    return this.#inUse;
  }

  setMax(max: number): void {
    this.#max = max;
    this.#admit();
  }

  /** Waits for a place. @returns whether it has one; not when the signal was raised */
  async acquire(signal: AbortSignal): Promise<boolean> {
    while (this.#inUse >= this.#max) {
      if (signal.aborted) return false;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
      await promise;
      this.#waiting.delete(resolve);
    }
    if (signal.aborted) return false;
    this.#inUse++;
    return true;
  }

  /** Takes a place whether there is one or not: for work that is there already. */
  take(): void {
    this.#inUse++;
  }

  release(): void {
    this.#inUse--;
    this.#admit();
  }

  #admit(): void {
    for (const resolve of this.#waiting) resolve();
  }
}

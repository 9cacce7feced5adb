/** The places of a worker: so many tasks at work, polls that may bring one included. */
export class Gate {
  #max: number;
  #inUse = 0;
  /** In their order; while somebody waits no place is free. */
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
    if (signal.aborted) return false;
    if (this.#inUse < this.#max) {
      this.#inUse++;
      return true;
    }
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const admit = (): void => resolve(true);
    const giveUp = (): void => {
      this.#waiting.delete(admit);
      resolve(false);
    };
    this.#waiting.add(admit);
    signal.addEventListener("abort", giveUp);
    const isAdmitted = await promise;
    signal.removeEventListener("abort", giveUp);
    return isAdmitted;
  }

  /** Takes a place whether there is one or not: for work that is there already. */
  take(): void {
    this.#inUse++;
  }

  release(): void {
    this.#inUse--;
    this.#admit();
  }

  /** Hands each free place to one who waits. */
  #admit(): void {
    for (const admit of this.#waiting) {
      if (this.#inUse >= this.#max) return;
      this.#waiting.delete(admit);
      this.#inUse++;
      admit();
    }
  }
}

import { LIMITS } from "@sous/contract";

/** Those who wait for ends of activations, by activation. */
export class EndWaiters {
  readonly #byId = new Map<string, Set<() => void>>();
  #count = 0;

  /** How many activations are waited for. */
  get size(): number {
    return this.#byId.size;
  }

  /** @returns a function that stops waiting, or `undefined` when as many wait as may */
  add(activationId: string, ended: () => void): (() => void) | undefined {
    if (this.#count >= LIMITS.activationWaitersMax) return undefined;
    let waiters = this.#byId.get(activationId);
    if (waiters === undefined) this.#byId.set(activationId, (waiters = new Set()));
    // An object of its own for each: the same function may wait twice.
    const waiter = (): void => ended();
    waiters.add(waiter);
    this.#count++;
    return () => {
      const now = this.#byId.get(activationId);
      if (now?.delete(waiter) !== true) return;
      this.#count--;
      if (now.size === 0) this.#byId.delete(activationId);
    };
  }

  /** Lets everybody go who waits for this one. */
  tell(activationId: string): void {
    const waiters = this.#byId.get(activationId);
    if (waiters === undefined) return;
    this.#byId.delete(activationId);
    this.#count -= waiters.size;
    for (const waiter of waiters) waiter();
  }
}

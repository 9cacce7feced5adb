/**
 * The things in flight, in slots that are used again. For what comes and goes a thousand times a second it
 * replaces a Set: a Set that has grown old allocates its next tables in old memory too, and a table left behind
 * there keeps all it names alive until the next full collection, with everything that hangs on it.
 */
export class SlotList<T extends object> {
  readonly #slots: (T | undefined)[] = [];
  readonly #free: number[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @returns the slot, to be given back to `delete` */
  add(item: T): number {
    this.#size++;
    const slot = this.#free.pop() ?? this.#slots.length;
    this.#slots[slot] = item;
    return slot;
  }

  /** Empties a slot. @returns whether this very item was in it */
  delete(slot: number, item: T): boolean {
    if (this.#slots[slot] !== item) return false;
    this.#slots[slot] = undefined;
    this.#free.push(slot);
    this.#size--;
    return true;
  }

  /** Looks through the items without an iterator, which would cost each of them a call. */
  find(matches: (item: T) => boolean): T | undefined {
    for (let slot = 0; slot < this.#slots.length; slot++) {
      const item = this.#slots[slot];
      if (item !== undefined && matches(item)) return item;
    }
    return undefined;
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (const item of this.#slots) if (item !== undefined) yield item;
  }
}

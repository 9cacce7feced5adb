/** What an {@link IdTable} holds; it can be in one table at a time. */
export interface Identified<T> {
  readonly id: string;
  /** Of its id, while it is in a table: others of its bucket are told apart by it, without a look at their ids. */
  hash: number;
  /** The next one in the same bucket. */
  chained: T | undefined;
}

const BUCKETS_MIN = 256;
/**
 * Characters of a UUID of version 7 that choose its bucket: of its millisecond, of the count within it, and of what is drawn
 * at random. They tell ids apart as well as all of them do, and are looked at several times a call.
 */
const UUID_HASHED = [10, 11, 12, 15, 16, 17, 34, 35];
const UUID_LENGTH = 36;
/** Characters at the end of any other id that choose its bucket. */
const HASHED = 22;

/**
 * Finds what has an id. For ids that come and go with every call it is better than a `Map`, which first enters a new
 * string into V8's table of all strings, and leaves old tables behind that hold what they name (decision 016).
 */
export class IdTable<T extends Identified<T>> {
  #buckets: (T | undefined)[] = emptyBuckets(BUCKETS_MIN);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: string): T | undefined {
    const hash = hashOf(id);
    let item = this.#buckets[hash & (this.#buckets.length - 1)];
    while (item !== undefined && !(item.hash === hash && item.id === id)) item = item.chained;
    return item;
  }

  /** Adds an item, in the place of one with the same id. */
  set(item: T): void {
    item.hash = hashOf(item.id);
    this.#remove(item.hash, item.id);
    if (this.#size >= this.#buckets.length) this.#resize(this.#buckets.length * 2);
    this.#put(item);
    this.#size++;
  }

  /** @returns what had this id */
  delete(id: string): T | undefined {
    const item = this.#remove(hashOf(id), id);
    if (this.#size < this.#buckets.length / 8 && this.#buckets.length > BUCKETS_MIN)
      this.#resize(this.#buckets.length / 2);
    return item;
  }

  /** Everything in it, in no order. Nothing may be added or taken out meanwhile. */
  *values(): IterableIterator<T> {
    for (const first of this.#buckets) {
      for (let item = first; item !== undefined; item = item.chained) yield item;
    }
  }

  #remove(hash: number, id: string): T | undefined {
    const bucket = hash & (this.#buckets.length - 1);
    let before: T | undefined;
    let item = this.#buckets[bucket];
    while (item !== undefined && !(item.hash === hash && item.id === id)) {
      before = item;
      item = item.chained;
    }
    if (item === undefined) return undefined;
    if (before === undefined) this.#buckets[bucket] = item.chained;
    else before.chained = item.chained;
    item.chained = undefined;
    this.#size--;
    return item;
  }

  #put(item: T): void {
    const bucket = item.hash & (this.#buckets.length - 1);
    item.chained = this.#buckets[bucket];
    this.#buckets[bucket] = item;
  }

  #resize(buckets: number): void {
    const items = [...this.values()];
    this.#buckets = emptyBuckets(buckets);
    for (const item of items) this.#put(item);
  }
}

const emptyBuckets = (length: number): undefined[] => Array.from({ length });

function hashOf(id: string): number {
  let hash = id.length;
  if (hash === UUID_LENGTH) {
    for (const at of UUID_HASHED) hash = (Math.imul(hash, 31) + id.charCodeAt(at)) | 0;
    return hash ^ (hash >>> 15);
  }
  for (let at = Math.max(0, id.length - HASHED); at < id.length; at++)
    hash = (Math.imul(hash, 31) + id.charCodeAt(at)) | 0;
  return hash ^ (hash >>> 15);
}

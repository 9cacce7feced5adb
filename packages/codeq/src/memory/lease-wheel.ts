import { Alarm, type SetTimer } from "./alarm.ts";
import { IntrusiveList, type Linked } from "./intrusive-list.ts";

/** What the wheel needs to know about a claim. */
export interface Leased<T extends Linked<T>> extends Linked<T> {
  /** Epoch milliseconds. */
  leaseUntilMs: number;
  /** The bucket it lies in; kept by the wheel. */
  bucket: IntrusiveList<T> | null;
}

export interface LeaseWheelOptions<T> {
  clock: () => number;
  setTimer: SetTimer;
  /** Milliseconds of one bucket: how late a lost lease may be noticed. */
  tickMs: number;
  onLost: (lease: T) => void;
}

/**
 * Every running lease, in buckets of `tickMs`. Adding and removing are O(1) without a timer operation, which
 * is what a claim that ends within a millisecond pays; one timer looks at the bucket that has just ended,
 * and only while there are leases.
 */
export class LeaseWheel<T extends Leased<T>> {
  readonly #options: LeaseWheelOptions<T>;
  readonly #alarm: Alarm;
  readonly #buckets = new Map<number, IntrusiveList<T>>();
  /** The next bucket to be looked at; -1 while the wheel stands still. */
  #cursor = -1;
  #size = 0;
  #recentNumber = -1;
  #recent = new IntrusiveList<T>();

  constructor(options: LeaseWheelOptions<T>) {
    this.#options = options;
    this.#alarm = new Alarm({ clock: options.clock, setTimer: options.setTimer, ring: () => this.#turn() });
  }

  add(lease: T, nowMs: number): void {
    const { tickMs } = this.#options;
    if (this.#cursor < 0) this.#start(nowMs);
    // A clock that was set back must not put a lease behind the cursor, where nobody looks again.
    const number = Math.max(Math.floor(lease.leaseUntilMs / tickMs) + 1, this.#cursor);
    lease.bucket = this.#bucket(number);
    lease.bucket.push(lease);
    this.#size++;
  }

  remove(lease: T): void {
    if (lease.bucket === null) return;
    lease.bucket.remove(lease);
    lease.bucket = null;
    this.#size--;
  }

  close(): void {
    this.#alarm.close();
  }

  #start(nowMs: number): void {
    this.#cursor = Math.floor(nowMs / this.#options.tickMs) + 1;
    this.#alarm.ensure(this.#cursor * this.#options.tickMs);
  }

  #bucket(number: number): IntrusiveList<T> {
    // Claims of one moment share their bucket: nearly every look-up ends here.
    if (number === this.#recentNumber) return this.#recent;
    let bucket = this.#buckets.get(number);
    if (bucket === undefined) {
      bucket = new IntrusiveList<T>();
      this.#buckets.set(number, bucket);
    }
    this.#recentNumber = number;
    this.#recent = bucket;
    return bucket;
  }

  #turn(): void {
    const { clock, tickMs, onLost } = this.#options;
    const nowMs = clock();
    const end = Math.floor(nowMs / tickMs);
    const lost: T[] = [];
    for (const number of this.#ended(end)) {
      const bucket = this.#buckets.get(number);
      this.#buckets.delete(number);
      if (number === this.#recentNumber) this.#recentNumber = -1;
      for (let lease = bucket?.head ?? null; lease !== null; lease = lease.next) lost.push(lease);
    }
    this.#cursor = Math.max(this.#cursor, end + 1);
    for (const lease of lost) {
      // Losing one lease runs consumers, which may end another of the same bucket.
      if (lease.bucket === null) continue;
      this.remove(lease);
      onLost(lease);
    }
    if (this.#size > 0) this.#alarm.ensure(this.#cursor * tickMs);
    else this.#stop();
  }

  /** Numbers of the buckets that ended, ascending; after a long sleep only those that exist. */
  #ended(end: number): number[] {
    if (end - this.#cursor > this.#buckets.size) {
      return [...this.#buckets.keys()].filter((number) => number <= end).sort((a, b) => a - b);
    }
    const numbers: number[] = [];
    for (let number = this.#cursor; number <= end; number++) numbers.push(number);
    return numbers;
  }

  #stop(): void {
    this.#cursor = -1;
    this.#buckets.clear();
    this.#recentNumber = -1;
  }
}

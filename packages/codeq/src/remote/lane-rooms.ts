/** How long what a consumer refused at says how much it takes, and is kept of a lane it holds nothing of, in milliseconds. */
const LEARNED_MS = 1000;
/** Lanes a claim can leave out; those beyond may be offered in vain. */
const ROOMS_MAX = 2048;

interface LaneRoom {
  held: number;
  /** Messages counted so far, ended ones too. */
  count: number;
  /** Refused, and to be left alone until it is woken. */
  isParked: boolean;
  /** How many the consumer held when it refused another one. */
  most: number;
  /** The consumer said that it takes one more now, whatever was learned: what it is done with may still count as held. */
  oneMore: boolean;
  learnedAtMs: number;
  /** How many are risked: twice as many as the consumer has had at a time. */
  risked: number;
  endedAtMs: number;
}

/**
 * What one consumer takes of each lane, learned from what it took and refused. Who is far away cannot ask it, and a message
 * that is claimed in vain costs two steps, and others may take what stands behind it meanwhile: so lanes are left out, or only
 * as much is taken of them as is likely to fit.
 */
export class LaneRooms {
  readonly #lanes = new Map<string, LaneRoom>();
  readonly #clock: () => number;
  readonly #first: number;

  /** @param first how many are risked of a lane of which nothing is known */
  constructor(clock: () => number, first = Infinity) {
    this.#clock = clock;
    this.#first = first;
  }

  /** Counts a message of a lane, whether or not the consumer wants it. @returns which one of its lane it is */
  taken(key: string): number {
    const lane = this.#lane(key);
    lane.held++;
    lane.count++;
    // Of a lane with one place another one would be claimed in vain as soon as this one stands alone.
    if (lane.oneMore && lane.most > 1) lane.most = Math.max(lane.most, lane.held);
    lane.oneMore = false;
    return lane.count;
  }

  /** The consumer wants all it has of a lane. */
  accepted(key: string): void {
    const lane = this.#lane(key);
    lane.risked = Math.max(lane.risked, 2 * lane.held);
  }

  /** Counts a message that ended. @returns whether its lane was held back, and may now be asked for again */
  ended(key: string): boolean {
    const lane = this.#lane(key);
    const wasFull = lane.most !== Infinity || lane.held >= lane.risked;
    lane.held--;
    lane.endedAtMs = this.#clock();
    this.#forgetIdle(key, lane, lane.endedAtMs);
    return wasFull && !lane.isParked;
  }

  /** @param which message was refused, by what `taken` said of it, where it counts as held, and others behind it may */
  refused(key: string, which?: number): void {
    const lane = this.#lane(key);
    lane.isParked = true;
    lane.oneMore = false;
    const before = which === undefined ? lane.held : lane.held - (lane.count - which + 1);
    // With none held the refusal says nothing about how many would fit.
    if (before <= 0) return;
    lane.most = before;
    lane.learnedAtMs = this.#clock();
  }

  wake(key: string): void {
    const lane = this.#lanes.get(key);
    if (lane === undefined) return;
    lane.isParked = false;
    lane.oneMore = true;
    this.#forgetIdle(key, lane, this.#clock());
  }

  /** Asks again for a lane whose first message is another one now; what is known to fit stays. */
  unpark(key: string): void {
    const lane = this.#lanes.get(key);
    if (lane !== undefined) lane.isParked = false;
  }

  wakeAll(): void {
    const nowMs = this.#clock();
    for (const [key, lane] of this.#lanes) {
      lane.isParked = false;
      lane.most = Infinity;
      this.#forgetIdle(key, lane, nowMs);
    }
  }

  /** @returns pairs of a lane and how many more messages of it are taken, where that is another number than at first */
  bounds(): (string | number)[] {
    const pairs: (string | number)[] = [];
    const nowMs = this.#clock();
    for (const [key, lane] of this.#lanes) {
      if (pairs.length === 2 * ROOMS_MAX) break;
      if (this.#forgetIdle(key, lane, nowMs)) continue;
      const room = this.#roomIn(lane, nowMs);
      if (room !== this.#first) pairs.push(key, room);
    }
    return pairs;
  }

  /** @returns how many more messages of one lane are taken */
  room(key: string): number {
    const lane = this.#lanes.get(key);
    const nowMs = this.#clock();
    if (lane === undefined || this.#forgetIdle(key, lane, nowMs)) return this.#first;
    return this.#roomIn(lane, nowMs);
  }

  /** Forgets idle lanes. @returns those that are full by what was learned so long ago that more may be tried */
  sweep(): string[] {
    const nowMs = this.#clock();
    const full: string[] = [];
    for (const [key, lane] of this.#lanes) {
      if (this.#forgetIdle(key, lane, nowMs) || lane.isParked) continue;
      if (lane.most <= lane.held && nowMs - lane.learnedAtMs >= LEARNED_MS) full.push(key);
    }
    return full;
  }

  #roomIn(lane: LaneRoom, nowMs: number): number {
    // Its functions may have changed since: try twice as many, and learn anew.
    if (lane.most !== Infinity && nowMs - lane.learnedAtMs >= LEARNED_MS) {
      lane.most = 2 * lane.most;
      lane.learnedAtMs = nowMs;
    }
    return lane.isParked ? 0 : Math.max(lane.oneMore ? 1 : 0, Math.min(lane.most, lane.risked) - lane.held);
  }

  #lane(key: string): LaneRoom {
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = {
        held: 0,
        count: 0,
        isParked: false,
        most: Infinity,
        oneMore: false,
        learnedAtMs: 0,
        risked: this.#first,
        endedAtMs: 0,
      };
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  /** A lane that takes one at a time holds nothing after each: what it takes is known a while longer. */
  #forgetIdle(key: string, lane: LaneRoom, nowMs: number): boolean {
    if (lane.held > 0 || lane.isParked) return false;
    const isLearned = lane.most !== Infinity || lane.risked > 2 * this.#first;
    if (isLearned && nowMs - lane.endedAtMs < LEARNED_MS) return false;
    return this.#lanes.delete(key);
  }
}

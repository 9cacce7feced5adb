import type { Consumer, Delivery, ExpiredEnd, Message, Subscription } from "../codeq.ts";
import { LaneRooms } from "../remote/lane-rooms.ts";

export interface RemoteConsumerOptions {
  /** Its name, the same in every session. */
  name: string;
  /** Counts how often it introduced itself. */
  session: number;
  /** The process it lives in. */
  process: string;
  topic: string;
  leaseMs: number;
  /** How many messages it takes now. */
  capacity: number;
  clock: () => number;
  /** @param which message of its lane it is */
  deliver: (consumer: RemoteConsumer, delivery: Delivery<string>, which: number) => void;
  expired: (consumer: RemoteConsumer, message: Message<string>) => Promise<ExpiredEnd>;
}

export const laneKeyOf = ({ tenant, lane }: Pick<Message<unknown>, "tenant" | "lane">): string =>
  `${tenant}\u001f${lane}`;

function laneOf(key: string): Pick<Message<unknown>, "tenant" | "lane"> {
  const [tenant = "", lane = ""] = key.split("\u001f");
  return { tenant, lane };
}

/** A consumer of another process as the engine sees it: what it takes is what it last said, less what was sent since. */
export class RemoteConsumer implements Consumer<string> {
  readonly topic: string;
  readonly leaseMs: number;
  readonly name: string;
  readonly session: number;
  readonly process: string;
  readonly rooms: LaneRooms;
  heardAtMs: number;
  /** It left, or its process does not hear any more: nothing is sent to it. */
  isGone = false;
  subscription: Subscription | undefined;
  readonly #options: RemoteConsumerOptions;
  /** The message each parked lane was refused at. */
  readonly #refused = new Map<string, string>();
  #told: number;
  #sent = 0;

  constructor(options: RemoteConsumerOptions) {
    this.#options = options;
    const { topic, leaseMs, name, session, process, capacity, clock } = options;
    this.topic = topic;
    this.leaseMs = leaseMs;
    this.name = name;
    this.session = session;
    this.process = process;
    this.#told = capacity;
    this.rooms = new LaneRooms(clock);
    this.heardAtMs = clock();
  }

  capacity(): number {
    return this.#told - this.#sent;
  }

  accepts(message: Message<string>): boolean {
    const key = laneKeyOf(message);
    if (this.rooms.room(key) > 0) return true;
    const refused = this.#refused.get(key);
    if (refused === undefined || refused === message.id) return false;
    // Only that message was refused, and another one is its lane's first now.
    this.#refused.delete(key);
    this.rooms.unpark(key);
    return this.rooms.room(key) > 0;
  }

  deliver(delivery: Delivery<string>): void {
    this.#sent++;
    const which = this.rooms.taken(laneKeyOf(delivery.message));
    this.#options.deliver(this, delivery, which);
  }

  onExpired(message: Message<string>): Promise<ExpiredEnd> {
    return this.#options.expired(this, message);
  }

  /** Hears how many it takes now. @param seen deliveries of this session it had seen when it said so */
  credit(capacity: number, seen: number): void {
    this.heardAtMs = this.#options.clock();
    // What was sent and not yet seen is still to be taken off.
    this.#told = capacity + seen;
  }

  /** A message was refused: its lane waits. @param which message of its lane it is */
  refuse(message: Message<string>, which: number): void {
    const key = laneKeyOf(message);
    this.#refused.set(key, message.id);
    this.rooms.refused(key, which);
  }

  /** @returns whether messages of a lane are refused for now */
  isParked(message: Message<string>): boolean {
    return this.#refused.has(laneKeyOf(message));
  }

  wake(lane?: Pick<Message<unknown>, "tenant" | "lane">): void {
    if (lane === undefined) {
      this.#refused.clear();
      this.rooms.wakeAll();
    } else {
      this.#refused.delete(laneKeyOf(lane));
      this.rooms.wake(laneKeyOf(lane));
    }
    this.subscription?.wake(lane);
  }

  /** Tries more of lanes that were full for a while: nothing of them may end for long. */
  sweep(): void {
    for (const key of this.rooms.sweep()) this.subscription?.wake(laneOf(key));
  }

  /** A claim of this lane ended. */
  ended(lane: Pick<Message<unknown>, "tenant" | "lane">): void {
    if (this.rooms.ended(laneKeyOf(lane))) this.subscription?.wake(lane);
  }
}

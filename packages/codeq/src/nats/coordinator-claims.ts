import type { Delivery, ExpiredEnd, Message } from "../codeq.ts";
import type { CoordinatorLog } from "./coordinator-log.ts";
import type { HeldBy } from "./log-records.ts";
import { laneKeyOf, type RemoteConsumer } from "./remote-consumer.ts";
import { type SettleOp, toWire, type WireItem } from "./wire.ts";

/** A token is looked for this long after its lease ended, in milliseconds. */
const TOKEN_GRACE_MS = 2000;
/** An expired message nobody said he heard of is told of again after this. */
const EXPIRED_AGAIN_MS = 5000;

export interface CoordinatorClaimsOptions {
  epoch: number;
  log: CoordinatorLog;
  clock: () => number;
  /** Sends to a process; `token` comes back where it turns out that nobody listened. */
  post: (process: string, item: WireItem, token?: string) => void;
}

interface Held {
  delivery: Delivery<string>;
  /** The name of the consumer that has it. */
  consumer: string;
  /** That consumer, once it introduced itself to this coordinator. */
  remote: RemoteConsumer | undefined;
  /** Which message of its lane it is to that consumer. */
  which: number;
}

interface Leaving {
  message: Message<string>;
  sentAtMs: number;
  end: (end: ExpiredEnd) => void;
}

/** What consumers hold, by token: deliveries under way, and expired messages they are told of. */
export class CoordinatorClaims {
  readonly #options: CoordinatorClaimsOptions;
  readonly #held = new Map<string, Held>();
  readonly #leaving = new Map<string, Leaving>();
  #count = 0;

  constructor(options: CoordinatorClaimsOptions) {
    this.#options = options;
  }

  /** Takes over a claim that a coordinator before had given out. */
  restore({ token }: HeldBy, delivery: Delivery<string>): void {
    this.#held.set(token, { delivery, consumer: consumerOf(token), remote: undefined, which: 0 });
  }

  /** Sends a delivery on its way as soon as the log knows who has it: nobody else then gives it to another. */
  deliver(remote: RemoteConsumer, delivery: Delivery<string>, which: number): void {
    const { log } = this.#options;
    const token = this.#newToken(remote);
    this.#held.set(token, { delivery, consumer: remote.name, remote, which });
    const { id, attempt } = delivery.message;
    log.claimed(id, attempt, { token, untilMs: delivery.leaseUntilMs }).then(
      () => this.#push(token),
      () => {},
    );
  }

  /**
   * Tells a consumer of an expired message.
   * @returns settles when somebody has said what becomes of it
   */
  expire(remote: RemoteConsumer, message: Message<string>): Promise<ExpiredEnd> {
    const { promise, resolve: end } = Promise.withResolvers<ExpiredEnd>();
    const token = this.#newToken(remote);
    this.#leaving.set(token, { message, sentAtMs: this.#options.clock(), end });
    // Not before the log has taken something: a coordinator before the present one knows of no end.
    this.#options.log.probe().then(
      () => this.#tell(remote, token, message),
      () => {},
    );
    return promise;
  }

  /** @returns whether the token still held the message */
  async settle(op: SettleOp, token: string, argument: unknown): Promise<boolean> {
    if (op === "e") return this.#heard(token, String(argument));
    const held = this.#held.get(token);
    if (held === undefined) return false;
    const { delivery, remote, which } = held;
    const { message } = delivery;
    if (op === "x") return await this.#extend(token, held, Number(argument));
    this.#held.delete(token);
    if (op === "f" && remote !== undefined) {
      remote.refuse(message, which);
      remote.rooms.ended(laneKeyOf(message));
    }
    const ended = end(delivery, op, argument);
    if (op !== "f") remote?.ended(message);
    await ended;
    return true;
  }

  /** A consumer introduced itself: what it was given and does not have goes back, as if it had not been claimed. */
  introduce(remote: RemoteConsumer, tokens: readonly string[]): void {
    const has = new Set(tokens);
    for (const [token, held] of this.#held) {
      if (held.consumer !== remote.name) continue;
      if (has.has(token)) {
        held.remote = remote;
        held.which = remote.rooms.taken(laneKeyOf(held.delivery.message));
      } else this.#giveBack(token);
    }
  }

  /** What was sent found nobody. */
  unheard(tokens: readonly string[]): void {
    for (const token of tokens) {
      const leaving = this.#leaving.get(token);
      if (leaving !== undefined) leaving.sentAtMs = -Infinity;
      this.#giveBack(token);
    }
  }

  /** Forgets tokens of leases that ended, and tells of expired messages again that nobody heard of. */
  sweep(consumerOfTopic: (topic: string) => RemoteConsumer | undefined): void {
    const nowMs = this.#options.clock();
    for (const [token, { delivery, remote }] of this.#held) {
      if (delivery.leaseUntilMs + TOKEN_GRACE_MS > nowMs) continue;
      this.#held.delete(token);
      remote?.ended(delivery.message);
    }
    for (const [token, leaving] of this.#leaving) {
      if (leaving.sentAtMs + EXPIRED_AGAIN_MS > nowMs) continue;
      const remote = consumerOfTopic(leaving.message.topic);
      if (remote === undefined) continue;
      leaving.sentAtMs = nowMs;
      this.#tell(remote, token, leaving.message);
    }
  }

  #push(token: string): void {
    const held = this.#held.get(token);
    if (held?.remote === undefined) return;
    const { delivery, remote } = held;
    // Its lane was refused since: it must not come before the one that was.
    if (remote.isGone || remote.isParked(delivery.message)) return this.#giveBack(token);
    const { name, session, process } = remote;
    const message = toWire(delivery.message);
    this.#options.post(process, ["deliver", name, session, token, delivery.leaseUntilMs, message], token);
  }

  #tell({ name, session, process }: RemoteConsumer, token: string, message: Message<string>): void {
    this.#options.post(process, ["expired", name, session, token, toWire(message)], token);
  }

  #giveBack(token: string): void {
    this.settle("r", token, "").catch(() => {});
  }

  async #extend(token: string, { delivery, remote }: Held, leaseMs: number): Promise<boolean> {
    if (!(await delivery.extend(leaseMs))) {
      if (this.#held.delete(token)) remote?.ended(delivery.message);
      return false;
    }
    const { id, attempt } = delivery.message;
    await this.#options.log.claimed(id, attempt, { token, untilMs: delivery.leaseUntilMs });
    return true;
  }

  #heard(token: string, reason: string): boolean {
    const leaving = this.#leaving.get(token);
    if (leaving === undefined) return false;
    this.#leaving.delete(token);
    leaving.end(reason === "" ? undefined : reason);
    return true;
  }

  #newToken(remote: RemoteConsumer): string {
    return `${remote.name}~${this.#options.epoch}~${++this.#count}`;
  }
}

const consumerOf = (token: string): string => token.split("~", 1)[0] ?? "";

function end(delivery: Delivery<string>, op: SettleOp, argument: unknown): Promise<void> {
  switch (op) {
    case "a":
      return delivery.ack();
    case "n":
      return delivery.nack(Number(argument));
    case "d":
      return delivery.deadLetter(String(argument));
    default:
      return delivery.release();
  }
}

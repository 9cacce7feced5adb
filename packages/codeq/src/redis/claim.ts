import { PlatformError } from "@sous/contract";
import type { Delivery, Message } from "../codeq.ts";
import type { RedisLink } from "@sous/store/redis-link";
import type { SettleOp, Shard } from "./shard.ts";

/** Between two tries of an end that a standing connection's server refused, in milliseconds. */
const REFUSED_PAUSE_MS = 250;

/** What claims share: how their ends reach the server. */
export interface Settler {
  link: RedisLink;
  clock: () => number;
  /** Settles when the connection stands again, after `ms` at the latest, or when the queue closes. */
  pause(ms: number): Promise<void>;
  readonly isClosed: boolean;
}

export interface ClaimOptions<Body> {
  message: Message<Body>;
  token: string;
  shard: Shard;
  settler: Settler;
  leaseUntilMs: number;
  /** Called with the first end. */
  onEnd: () => void;
}

/** One delivery of one message, held by its token: the server refuses what comes after the lease was lost. */
export class Claim<Body> implements Delivery<Body> {
  readonly message: Message<Body>;
  leaseUntilMs: number;
  readonly #options: ClaimOptions<Body>;
  #ended = false;

  constructor(options: ClaimOptions<Body>) {
    this.message = options.message;
    this.leaseUntilMs = options.leaseUntilMs;
    this.#options = options;
  }

  async extend(leaseMs: number): Promise<boolean> {
    if (this.#ended) return false;
    const { shard, token, settler } = this.#options;
    const leaseUntilMs = settler.clock() + leaseMs;
    const held = await shard.settle({ op: "x", id: this.message.id, token, argument: Math.ceil(leaseMs) });
    if (held) this.leaseUntilMs = leaseUntilMs;
    return held;
  }

  ack(): Promise<void> {
    return this.#end("a", "");
  }

  nack(delayMs: number): Promise<void> {
    return this.#end("n", Math.max(0, Math.ceil(delayMs)));
  }

  release(): Promise<void> {
    return this.#end("r", "");
  }

  deadLetter(reason: string): Promise<void> {
    return this.#end("d", reason);
  }

  /**
   * Says the end to the server. During an outage it is said again when the connection stands, as long as the lease
   * may hold: else work that is done would be done again.
   */
  async #end(op: SettleOp, argument: string | number): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    const { shard, token, settler, onEnd } = this.#options;
    onEnd();
    for (;;) {
      try {
        await shard.settle({ op, id: this.message.id, token, argument });
        return;
      } catch (error) {
        const leftMs = this.leaseUntilMs - settler.clock();
        if (!(error instanceof PlatformError) || settler.isClosed || leftMs <= 0) throw error;
        await settler.pause(Math.min(leftMs, settler.link.isUp ? REFUSED_PAUSE_MS : leftMs));
      }
    }
  }
}

import { PlatformError } from "@sous/contract";
import type { Delivery, Message } from "../codeq.ts";
import type { SettleOp } from "./wire.ts";

/** Between two tries of an end that did not reach the coordinator, in milliseconds. */
const AGAIN_MS = 250;

/** What claims share: how their ends reach the coordinator. */
export interface Settler {
  settle(op: SettleOp, token: string, argument: unknown): Promise<unknown>;
  clock: () => number;
  /** Settles when the connection stands again, after `ms` at the latest, or when the queue closes. */
  pause(ms: number): Promise<void>;
  readonly isClosed: boolean;
}

export interface ClaimOptions<Body> {
  message: Message<Body>;
  token: string;
  settler: Settler;
  leaseUntilMs: number;
  /** Called with the first end. */
  onEnd: () => void;
  /** Called when the end was heard, or cannot be any more. */
  onSettled: () => void;
}

/** One delivery of one message, held by its token: the coordinator refuses what comes after the lease was lost. */
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
    const { token, settler } = this.#options;
    const leaseUntilMs = settler.clock() + leaseMs;
    const held = (await settler.settle("x", token, Math.ceil(leaseMs))) === true;
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

  /** As `release`, and says that its lane is to wait. */
  refuse(): Promise<void> {
    return this.#end("f", "");
  }

  /**
   * Says the end. During an outage it is said again when somebody coordinates, as long as the lease may hold: else work
   * that is done would be done again.
   */
  async #end(op: SettleOp, argument: string | number): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    const { token, settler, onEnd, onSettled } = this.#options;
    onEnd();
    try {
      for (;;) {
        try {
          await settler.settle(op, token, argument);
          return;
        } catch (error) {
          const leftMs = this.leaseUntilMs - settler.clock();
          if (!(error instanceof PlatformError) || settler.isClosed || leftMs <= 0) throw error;
          await settler.pause(Math.min(leftMs, AGAIN_MS));
        }
      }
    } finally {
      onSettled();
    }
  }
}

import { PlatformError } from "@sous/contract";
import type { Delivery, Message } from "../codeq.ts";

/** What is said of a claim: done, not done, given back, dead, or to be kept for longer. */
export type ClaimOp = "a" | "n" | "r" | "d" | "x";

export interface ClaimOptions<Body> {
  message: Message<Body>;
  leaseUntilMs: number;
  clock: () => number;
  /**
   * Says it to whoever keeps the leases, which refuses what comes after the lease was lost.
   * @returns `true` where the claim held
   */
  settle(op: ClaimOp, argument: string | number): Promise<unknown>;
  /** Settles when an end that did not arrive may be said again; `leftMs` remain of the lease. */
  pause(leftMs: number): Promise<void>;
  isClosed(): boolean;
  /** Called with the first end. */
  onEnd: () => void;
  /** Called when the end was heard, or cannot be any more. */
  onSettled?: () => void;
}

/** One delivery of one message out of a queue in a server. */
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
    const leaseUntilMs = this.#options.clock() + leaseMs;
    const held = (await this.#options.settle("x", Math.ceil(leaseMs))) === true;
    if (held) this.leaseUntilMs = leaseUntilMs;
    return held;
  }

  ack(): Promise<void> {
    return this.end(() => this.#options.settle("a", ""));
  }

  nack(delayMs: number): Promise<void> {
    return this.end(() => this.#options.settle("n", Math.max(0, Math.ceil(delayMs))));
  }

  release(): Promise<void> {
    return this.end(() => this.#options.settle("r", ""));
  }

  deadLetter(reason: string): Promise<void> {
    return this.end(() => this.#options.settle("d", reason));
  }

  /**
   * Says the end. During an outage it is said again as long as the lease may hold: else work that is done would be done
   * again.
   */
  protected async end(say: () => Promise<unknown>): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    const { clock, pause, isClosed, onEnd, onSettled } = this.#options;
    onEnd();
    try {
      for (;;) {
        try {
          await say();
          return;
        } catch (error) {
          const leftMs = this.leaseUntilMs - clock();
          if (!(error instanceof PlatformError) || isClosed() || leftMs <= 0) throw error;
          await pause(leftMs);
        }
      }
    } finally {
      onSettled?.();
    }
  }
}

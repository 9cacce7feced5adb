import type { Delivery, Message } from "../codeq.ts";
import type { IntrusiveList } from "./intrusive-list.ts";
import type { Entry } from "./lanes.ts";
import type { Leased } from "./lease-wheel.ts";

/** What a claim asks of the queue that made it. */
export interface ClaimKeeper<Body> {
  extend(claim: Claim<Body>, leaseMs: number): Promise<boolean>;
  ack(claim: Claim<Body>): Promise<void>;
  nack(claim: Claim<Body>, delayMs: number): Promise<void>;
  release(claim: Claim<Body>): Promise<void>;
  deadLetter(claim: Claim<Body>, reason: string): Promise<void>;
}

/** One delivery of one message; it holds the message as long as the entry names it as its claim. */
export class Claim<Body> implements Delivery<Body>, Leased<Claim<Body>> {
  readonly message: Message<Body>;
  readonly entry: Entry<Body>;
  leaseUntilMs: number;
  bucket: IntrusiveList<Claim<Body>> | null = null;
  previous: Claim<Body> | null = null;
  next: Claim<Body> | null = null;
  readonly #keeper: ClaimKeeper<Body>;

  constructor(entry: Entry<Body>, leaseUntilMs: number, keeper: ClaimKeeper<Body>) {
    this.message = entry.message;
    this.entry = entry;
    this.leaseUntilMs = leaseUntilMs;
    this.#keeper = keeper;
  }

  extend(leaseMs: number): Promise<boolean> {
    return this.#keeper.extend(this, leaseMs);
  }

  ack(): Promise<void> {
    return this.#keeper.ack(this);
  }

  nack(delayMs: number): Promise<void> {
    return this.#keeper.nack(this, delayMs);
  }

  release(): Promise<void> {
    return this.#keeper.release(this);
  }

  deadLetter(reason: string): Promise<void> {
    return this.#keeper.deadLetter(this, reason);
  }
}

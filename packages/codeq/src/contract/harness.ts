import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "@sous/contract";
import type { CodeQ, Consumer, Delivery, Message, Subscription } from "../codeq.ts";
import type { DeadLetterOptions } from "../dead-letter-bounds.ts";

/** What the suite's messages carry: plain JSON, as every driver can take it. */
export interface ContractBody {
  text: string;
}

export interface ContractResult {
  text: string;
}

export type ContractCodeQ = CodeQ<ContractBody, ContractResult>;

/** Opens a queue of the driver under test; it needs not be empty, but must keep durable messages. */
export type OpenCodeQ = (options?: DeadLetterOptions) => Promise<ContractCodeQ>;

/** How long the suite waits for what must happen, and watches that something does not. */
const PATIENCE_MS = 15_000;
const WATCH_MS = 200;

/** Waits until a condition holds. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    assert.ok(Date.now() < endMs, `did not happen within ${PATIENCE_MS} ms: ${what}`);
    await sleep(5);
  }
}

/** @returns a name no other test and no earlier run has used */
export const unique = (prefix: string): string => `${prefix}-${randomUUID()}`;

/** @returns a message of a topic, with everything else made up unless given */
export function message(
  topic: string,
  text: string,
  fields: Partial<Message<ContractBody>> = {},
): Message<ContractBody> {
  const nowMs = Date.now();
  return {
    id: unique("msg"),
    topic,
    tenant: "t_first1",
    lane: "default/first",
    body: { text },
    attempt: 1,
    enqueued_at_ms: nowMs,
    due_at_ms: 0,
    expires_at_ms: nowMs + 3_600_000,
    ...fields,
  };
}

/** Publishes texts in order, one message each. */
export async function publishAll(
  queue: ContractCodeQ,
  topic: string,
  texts: readonly string[],
  fields: Partial<Message<ContractBody>> = {},
): Promise<void> {
  for (const text of texts) {
    await queue.publish(message(topic, text, fields), { depthMax: 100_000, durable: false });
  }
}

/** Asserts that a publish is refused because its lane is full. */
export async function assertFull(published: Promise<void>): Promise<void> {
  await assert.rejects(published, (error: unknown) => {
    assert.ok(error instanceof PlatformError);
    assert.equal(error.code, "CS_QUEUE_FULL");
    assert.equal(error.details?.["reason"], "depth");
    assert.ok((error.retryAfterSeconds ?? 0) > 0);
    return true;
  });
}

export interface ProbeOptions {
  topic: string;
  /** How many messages it holds at a time (1). */
  slots?: number;
  leaseMs?: number;
  accepts?: (message: Message<ContractBody>) => boolean;
  /** What becomes of an expired message (it is gone). */
  onExpired?: Consumer<ContractBody>["onExpired"];
  /** Called with each delivery, as it comes. */
  onDelivery?: (delivery: Delivery<ContractBody>) => void;
}

/** A consumer that notes what it gets and ends messages when the test says so. */
export class Probe {
  readonly texts: string[] = [];
  readonly deliveries: Delivery<ContractBody>[] = [];
  readonly expired: Message<ContractBody>[] = [];
  slots: number;
  held = 0;
  heldMost = 0;
  #read = 0;
  #subscription: Subscription | undefined;

  constructor(slots: number) {
    this.slots = slots;
  }

  get subscription(): Subscription {
    assert.ok(this.#subscription, "subscribed");
    return this.#subscription;
  }

  async start(queue: ContractCodeQ, options: ProbeOptions): Promise<void> {
    const consumer: Consumer<ContractBody> = {
      topic: options.topic,
      leaseMs: options.leaseMs ?? 60_000,
      capacity: () => this.slots - this.held,
      accepts: options.accepts ?? (() => true),
      deliver: (delivery) => {
        this.held++;
        this.heldMost = Math.max(this.heldMost, this.held);
        this.deliveries.push(delivery);
        this.texts.push(delivery.message.body.text);
        options.onDelivery?.(delivery);
      },
      onExpired: (old) => {
        this.expired.push(old);
        return options.onExpired?.(old);
      },
    };
    this.#subscription = await queue.consume(consumer);
  }

  /** Waits for the next delivery. */
  async next(): Promise<Delivery<ContractBody>> {
    await eventually("a delivery", () => this.deliveries.length > this.#read);
    const delivery = this.deliveries[this.#read++];
    assert.ok(delivery);
    return delivery;
  }

  /** Waits for the next delivery and acknowledges it. @returns its text */
  async done(): Promise<string> {
    const delivery = await this.next();
    await delivery.ack();
    this.release();
    return delivery.message.body.text;
  }

  /** Waits for `count` deliveries and acknowledges each. @returns their texts in order */
  async drain(count: number): Promise<string[]> {
    const texts: string[] = [];
    while (texts.length < count) texts.push(await this.done());
    return texts;
  }

  /** Frees the slot of a delivery that ended. */
  release(): void {
    this.held--;
    this.subscription.wake();
  }

  resize(slots: number): void {
    this.slots = slots;
    this.subscription.wake();
  }

  /** Watches for a while that nothing more is delivered. */
  async quiet(): Promise<void> {
    await sleep(WATCH_MS);
    assert.equal(this.deliveries.length, this.#read, "nothing more is delivered");
  }
}

export async function startProbe(queue: ContractCodeQ, options: ProbeOptions): Promise<Probe> {
  const probe = new Probe(options.slots ?? 1);
  await probe.start(queue, options);
  return probe;
}

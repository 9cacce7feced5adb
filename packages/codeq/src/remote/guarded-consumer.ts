import { PlatformError } from "@sous/contract";
import type { Consumer, Delivery, ExpiredEnd, Message } from "../codeq.ts";

/** A consumer whose exceptions are reported and change nothing else. */
export class GuardedConsumer<Body> {
  readonly #consumer: Consumer<Body>;
  readonly #report: (error: PlatformError) => void;

  constructor(consumer: Consumer<Body>, report: (error: PlatformError) => void) {
    this.#consumer = consumer;
    this.#report = report;
  }

  capacity(): number {
    return this.#guard("capacity", () => this.#consumer.capacity()) ?? 0;
  }

  accepts(message: Message<Body>): boolean {
    return this.#guard("accepts", () => this.#consumer.accepts(message)) ?? false;
  }

  deliver(delivery: Delivery<Body>): void {
    this.#guard("deliver", () => this.#consumer.deliver(delivery));
  }

  /** @returns what becomes of the message, or `undefined` where the consumer failed */
  async onExpired(message: Message<Body>): Promise<{ end: ExpiredEnd } | undefined> {
    try {
      return { end: await this.#consumer.onExpired(message) };
    } catch (cause) {
      this.#failed("onExpired", cause);
      return undefined;
    }
  }

  #guard<T>(method: string, call: () => T): T | undefined {
    try {
      return call();
    } catch (cause) {
      this.#failed(method, cause);
      return undefined;
    }
  }

  #failed(method: string, cause: unknown): void {
    const text = `A consumer's ${method} threw; see the cause and mend the consumer.`;
    this.#report(new PlatformError("CS_INTERNAL", text, { cause }));
  }
}

import { PlatformError } from "@sous/contract";
import type { ReplyChannel } from "../codeq.ts";

type Receive<Result> = (result: Result) => void;

/** Reply channels of this process; a result reaches its waiter within the call of `reply`. */
export class ReplyHub<Result> {
  readonly #channels = new Map<string, Map<string, Receive<Result>>>();
  readonly #report: (error: PlatformError) => void;
  #opened = 0;

  constructor(report: (error: PlatformError) => void) {
    this.#report = report;
  }

  open(): ReplyChannel<Result> {
    const name = `memory:${++this.#opened}`;
    const waiting = new Map<string, Receive<Result>>();
    this.#channels.set(name, waiting);
    return {
      name,
      expect: (requestId, receive) => {
        waiting.set(requestId, receive);
      },
      forget: (requestId) => {
        waiting.delete(requestId);
      },
      [Symbol.asyncDispose]: () => {
        this.#channels.delete(name);
        waiting.clear();
        return Promise.resolve();
      },
    };
  }

  reply(channel: string, requestId: string, result: Result): boolean {
    const waiting = this.#channels.get(channel);
    const receive = waiting?.get(requestId);
    if (waiting === undefined || receive === undefined) return false;
    waiting.delete(requestId);
    try {
      receive(result);
    } catch (cause) {
      const message = "A waiting ingress threw at its result; see the cause.";
      this.#report(new PlatformError("CS_INTERNAL", message, { cause }));
    }
    return true;
  }

  close(): void {
    this.#channels.clear();
  }
}

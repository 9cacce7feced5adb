import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "@sous/contract";
import type { ReplyChannel } from "../codeq.ts";
import type { BodyCodec } from "../memory/durable-log.ts";
import type { NatsLink } from "./nats-link.ts";
import { Outbox, type Outgoing } from "./outbox.ts";
import type { Subjects } from "./wire.ts";

const FRAME_LENGTH_MAX = 256 * 1024;
/** What may be on its way to gateways at a time. */
const RESULTS_LENGTH_MAX = 64 * 1024 * 1024;
/** A gateway is given so long to come back. */
const PATIENCE_MS = 15_000;
const HEARD_TIMEOUT_MS = 2000;
const PAUSE_FIRST_MS = 50;
const PAUSE_MAX_MS = 1000;

const NAME = /^[\w-]{1,64}$/;

/** A part of a result: more than one where a message cannot carry it whole. */
type Part = [requestId: string, at: number, of: number, text: string];

export interface RepliesOptions<Result> {
  link: NatsLink;
  subjects: Subjects;
  codec: BodyCodec<Result>;
  report: (error: PlatformError) => void;
}

/** Sends results to gateways, again until they say that they heard or are gone. */
export class ReplySender<Result> {
  readonly #options: RepliesOptions<Result>;
  readonly #outbox: Outbox<undefined>;
  #length = 0;
  #closed = false;

  constructor(options: RepliesOptions<Result>) {
    this.#options = options;
    this.#outbox = new Outbox({
      frameLengthMax: FRAME_LENGTH_MAX,
      send: (channel, items) => void this.#send(channel, items),
    });
  }

  /** @returns whether it was sent; whether somebody waits for it is not known here */
  post(channel: string, requestId: string, result: Result): boolean {
    if (!NAME.test(channel)) return false;
    const { codec, link } = this.#options;
    const text = codec.encode(result);
    if (this.#length + text.length > RESULTS_LENGTH_MAX) return false;
    // Escaped and in UTF-8 a character takes six bytes at most.
    const partLength = Math.floor(link.payloadBytesMax / 6);
    const of = Math.max(1, Math.ceil(text.length / partLength));
    for (let at = 0; at < of; at++) {
      const part: Part = [requestId, at, of, text.slice(at * partLength, (at + 1) * partLength)];
      const item = JSON.stringify(part);
      this.#length += item.length;
      this.#outbox.post(channel, item, undefined);
    }
    return true;
  }

  close(): void {
    this.#closed = true;
  }

  async #send(channel: string, items: readonly Outgoing<undefined>[]): Promise<void> {
    const { link, subjects } = this.#options;
    const text = `[${items.map((item) => item.text).join(",")}]`;
    const endMs = performance.now() + PATIENCE_MS;
    for (let pauseMs = PAUSE_FIRST_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
      try {
        await link.request(subjects.replies(channel), text, HEARD_TIMEOUT_MS);
        break;
      } catch {
        // Nobody there, or no connection: a gateway that was cut off comes back, one that ended does not.
        if (this.#closed || performance.now() > endMs) break;
        await sleep(pauseMs, undefined, { ref: false });
      }
    }
    for (const item of items) this.#length -= item.text.length;
  }
}

/** The channel of one gateway. */
export class NatsReplies<Result> implements ReplyChannel<Result> {
  /** Its address; who waits is told apart by request id. */
  readonly #name = randomUUID();
  readonly #options: RepliesOptions<Result>;
  readonly #waiting = new Map<string, (result: Result) => void>();
  /** What came of results in parts. */
  readonly #parts = new Map<string, string[]>();
  readonly #stop: () => void;

  constructor(options: RepliesOptions<Result>) {
    this.#options = options;
    const { link, subjects } = options;
    this.#stop = link.subscribe(subjects.replies(this.#name), (message) => {
      message.respond();
      for (const part of message.json<Part[]>()) this.#take(part);
    });
  }

  expect(requestId: string, receive: (result: Result) => void): string {
    this.#waiting.set(requestId, receive);
    return this.#name;
  }

  forget(_address: string, requestId: string): void {
    this.#waiting.delete(requestId);
    this.#parts.delete(requestId);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#waiting.clear();
    this.#parts.clear();
    this.#stop();
    return Promise.resolve();
  }

  #take([requestId, at, of, text]: Part): void {
    const receive = this.#waiting.get(requestId);
    if (receive === undefined) return;
    let whole = text;
    if (of > 1) {
      const parts = this.#parts.get(requestId) ?? [];
      this.#parts.set(requestId, parts);
      parts[at] = text;
      if (Object.keys(parts).length < of) return;
      whole = parts.join("");
      this.#parts.delete(requestId);
    }
    this.#waiting.delete(requestId);
    try {
      receive(this.#options.codec.decode(whole));
    } catch (cause) {
      const message = "A result could not be read, or a waiting ingress threw at it; see the cause.";
      this.#options.report(new PlatformError("CS_INTERNAL", message, { cause }));
    }
  }
}

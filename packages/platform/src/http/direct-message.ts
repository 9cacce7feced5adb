import { IncomingMessage } from "node:http";
import { Readable } from "node:stream";

/** Gets the pieces of a body as they arrive, and `null` at its end. */
export type BodySink = (chunk: Buffer | null) => void;

/**
 * A request whose body can be had directly from the parser. A stream for each body (its buffer, its turns of the
 * tick queue, its events and its end of life) costs as much as the rest of a small request; the parser knows the
 * pieces and the end anyway. As a stream such a request never begins, and never ends.
 */
export class DirectMessage extends IncomingMessage {
  #sink: BodySink | undefined;
  #onBroken: ((cause: unknown) => void) | undefined;
  #begun = false;
  #ended = false;

  static {
    // Node lets go of a request whose body has ended; otherwise it would wait for the event.
    const asStream = Object.getOwnPropertyDescriptor(Readable.prototype, "readableEnded");
    Object.defineProperty(this.prototype, "readableEnded", {
      get(this: DirectMessage): boolean {
        return this.#ended || asStream?.get?.call(this) === true;
      },
    });
  }

  /**
   * Sends the body to `sink`, whole, or says why it breaks off. To be called once, instead of reading the message
   * as a stream.
   */
  receive(sink: BodySink, onBroken: (cause: unknown) => void): void {
    this.#onBroken = onBroken;
    if (!this.#begun) {
      this.#sink = sink;
      // What nobody reads Node would read and drop after the answer, as a stream.
      (this as unknown as { _consuming: boolean })._consuming = true;
      return;
    }
    // Something was here before anybody asked, as the token had to be looked up first.
    this.on("data", sink);
    this.on("end", () => sink(null));
  }

  /** Node's parser calls this with each piece of the body. */
  override push(chunk: Buffer | null): boolean {
    if (this.#sink === undefined) {
      this.#begun = true;
      return super.push(chunk);
    }
    this.#ended ||= chunk === null;
    this.#sink(chunk);
    return true;
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#onBroken?.(error);
    super._destroy(error, callback);
  }
}

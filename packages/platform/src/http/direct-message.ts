import { IncomingMessage } from "node:http";

/** Gets the pieces of a body as they arrive, and `null` at its end. */
export type BodySink = (chunk: Buffer | null) => void;

/**
 * A request whose body can be had directly from the parser. A stream for each body (its buffer, its three turns of
 * the tick queue, its events and its end of life) costs as much as the rest of a small request; the parser knows
 * the pieces and the end anyway.
 */
export class DirectMessage extends IncomingMessage {
  #sink: BodySink | undefined;
  #begun = false;

  /** Sends the body to `sink`, whole. To be called once, instead of reading the message as a stream. */
  receive(sink: BodySink): void {
    if (!this.#begun) {
      this.#sink = sink;
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
    this.#sink(chunk);
    return true;
  }
}

import { Blob } from "./blob.ts";
import type { Body } from "./body.ts";
import type { Headers } from "./headers.ts";

/** The body itself, for the other modules of this part. */
export let bodyOf: (message: Message) => Body | null;

/** What requests and responses have in common: headers and a body that is read once. */
export abstract class Message {
  readonly headers: Headers;
  readonly #body: Body | null;

  static {
    bodyOf = (message) => message.#body;
  }

  constructor(headers: Headers, body: Body | null) {
    this.headers = headers;
    this.#body = body;
    if (body !== null && body.type !== null && !headers.has("content-type")) {
      headers.set("content-type", body.type);
    }
  }

  get body(): ReadableStream<Uint8Array> | null {
    return this.#body === null ? null : this.#body.stream;
  }
  get bodyUsed(): boolean {
    return this.#body?.used ?? false;
  }
  async text(): Promise<string> {
    return this.#body === null ? "" : await this.#body.text();
  }
  async json(): Promise<unknown> {
    return JSON.parse(await this.text()) as unknown;
  }
  async bytes(): Promise<Uint8Array> {
    return this.#body === null ? new Uint8Array() : await this.#body.bytes();
  }
  async arrayBuffer(): Promise<ArrayBuffer> {
    const bytes = await this.bytes();
    return bytes.slice().buffer as ArrayBuffer;
  }
  async blob(): Promise<Blob> {
    return new Blob([await this.bytes()], { type: this.headers.get("content-type") ?? "" });
  }
}

import type { PartContext } from "../part-context.ts";
import { Blob, bytesOfBlob } from "./blob.ts";

/** Everything a request or a response can carry. */
export type BodyInit = string | ArrayBuffer | ArrayBufferView | Blob | object | null | undefined;

type Stream = ReadableStream<Uint8Array>;

/** How the body part reaches the other parts; set once when the part `fetch` is made. */
let platform: PartContext | undefined;
export function setBodyPlatform(context: PartContext): void {
  platform = context;
}

/**
 * A body: text or bytes that are there, or a stream of bytes to come. It can be read once.
 * It stays text or bytes as long as nobody asks for the stream, which is the common case.
 */
export class Body {
  /** The content type the body itself implies. */
  readonly type: string | null;
  #content: string | Uint8Array | Stream;
  #used = false;

  constructor(content: string | Uint8Array | Stream, type: string | null) {
    this.#content = content;
    this.type = type;
  }

  static from(init: BodyInit): Body | null {
    if (init === null || init === undefined) return null;
    if (ArrayBuffer.isView(init)) {
      return new Body(new Uint8Array(init.buffer, init.byteOffset, init.byteLength).slice(), null);
    }
    if (init instanceof ArrayBuffer) return new Body(new Uint8Array(init.slice(0)), null);
    if (init instanceof Blob) return new Body(bytesOfBlob(init).slice(), init.type === "" ? null : init.type);
    if (isStream(init)) {
      if (init.locked) throw new TypeError("the stream is locked or was read already");
      return new Body(init, null);
    }
    if (isSearchParams(init)) {
      return new Body(`${init as { toString(): string }}`, "application/x-www-form-urlencoded;charset=UTF-8");
    }
    return new Body(`${init as string}`.toWellFormed(), "text/plain;charset=UTF-8");
  }

  get used(): boolean {
    return this.#used || (isStream(this.#content) && this.#content.locked);
  }

  /** Text that has not been turned into bytes yet. */
  get pendingText(): string | undefined {
    return !this.#used && typeof this.#content === "string" ? this.#content : undefined;
  }

  /** The body as a stream, made on first use; reading it uses the body up. */
  get stream(): Stream {
    if (isStream(this.#content)) return this.#content;
    const stream = streamOf(this.#used ? new Uint8Array() : bytesOf(this.#content), () => {
      this.#used = true;
    });
    this.#content = stream;
    return stream;
  }

  /** @throws TypeError when it was read before */
  async bytes(): Promise<Uint8Array> {
    this.#claim();
    return isStream(this.#content) ? await readAll(this.#content) : bytesOf(this.#content);
  }

  async text(): Promise<string> {
    const text = this.pendingText;
    if (text === undefined) return decode(await this.bytes());
    this.#claim();
    return text;
  }

  /** Moves the content into a new body without a type of its own; this one counts as read. */
  take(): Body {
    const content = this.#content;
    this.#claim();
    return new Body(content, null);
  }

  clone(): Body {
    if (this.used) throw new TypeError("the body was read already");
    if (!isStream(this.#content)) return new Body(this.#content, this.type);
    const [mine, other] = this.#content.tee();
    this.#content = mine;
    return new Body(other, this.type);
  }

  #claim(): void {
    if (this.used) throw new TypeError("the body was read already");
    this.#used = true;
  }
}

const isStream = (value: unknown): value is Stream =>
  typeof value === "object" && value !== null && "getReader" in value && "locked" in value;

/** Asked by tag, so that a body that is none does not load the part `url`. */
const isSearchParams = (value: unknown): boolean =>
  (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === "URLSearchParams";

function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === "string" ? new TextEncoder().encode(content) : content;
}

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

interface StreamClasses {
  ReadableStream: typeof globalThis.ReadableStream;
}

function streamOf(bytes: Uint8Array, onRead: () => void): Stream {
  if (platform === undefined) throw new TypeError("the part fetch was not made");
  const { ReadableStream } = platform.part("streams") as unknown as StreamClasses;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        onRead();
        if (bytes.length > 0) controller.enqueue(bytes as Uint8Array<ArrayBuffer>);
        controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}

async function readAll(stream: Stream): Promise<Uint8Array> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (!(value instanceof Uint8Array)) throw new TypeError("a body's stream must give Uint8Arrays");
    chunks.push(value);
    length += value.length;
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

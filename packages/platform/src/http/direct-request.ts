import { type IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Socket } from "node:net";

/** Gets the pieces of a body as they arrive, and `null` at its end. */
export type BodySink = (chunk: Buffer | null) => void;

/** Bytes of a body nobody has asked for yet, past which the connection is read no further. */
const EARLY_BYTES_MAX = 64 * 1024;
/** What a piece takes by itself, whatever is in it. */
const PIECE_BYTES = 1024;
const NO_HEADERS: string[] = [];

/** What Node's own message does with headers. */
interface HeaderLines {
  _addHeaderLine(name: string, value: string, into: IncomingHttpHeaders): void;
  _addHeaderLines(headers: readonly string[], count: number): void;
}

/**
 * A request as Node's parser tells of it. Node makes one stream for each; its buffer, its turns of the tick queue, its
 * events and its end of life cost more than a small request does otherwise, and the parser knows the pieces anyway. The
 * server is given this class in place of Node's own, and whoever needs a stream gets one by `toMessage`.
 */
export class DirectRequest {
  readonly socket: Socket;
  method = "";
  url = "";
  /** Names and values in turn, as received. */
  rawHeaders = NO_HEADERS;
  httpVersion = "1.1";
  httpVersionMajor = 1;
  httpVersionMinor = 1;
  upgrade = false;
  joinDuplicateHeaders = false;
  /** Whether all of it is here. */
  complete = false;
  #headers: IncomingHttpHeaders | undefined;
  /** What came of the body before anybody asked: the token had to be looked up first. */
  #early: Buffer[] = [];
  /** What that takes. */
  earlyBytes = 0;
  #isHeld = false;
  #hasBegun = false;
  #sink: BodySink | undefined;
  #onBroken: ((cause: unknown) => void) | undefined;
  /** Why nothing more comes of it. */
  #cause: unknown;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  /** By lower-case names, several of one name joined as Node does. Made when it is first asked for. */
  get headers(): IncomingHttpHeaders {
    if (this.#headers === undefined) {
      this.#headers = {};
      const { _addHeaderLine } = IncomingMessage.prototype as unknown as HeaderLines;
      for (let at = 0; at < this.rawHeaders.length; at += 2)
        _addHeaderLine.call(
          this,
          this.rawHeaders[at] as string,
          this.rawHeaders[at + 1] as string,
          this.#headers,
        );
    }
    return this.#headers;
  }

  /** @returns the values of a header, joined by a comma. @param name in lower case */
  header(name: string): string | undefined {
    let found: string | undefined;
    const raw = this.rawHeaders;
    for (let at = 0; at < raw.length; at += 2) {
      const other = raw[at] as string;
      if (other.length !== name.length || other.toLowerCase() !== name) continue;
      found = found === undefined ? raw[at + 1] : `${found}, ${raw[at + 1]}`;
    }
    return found;
  }

  /** Whether its connection is gone. */
  get destroyed(): boolean {
    return this.socket.destroyed;
  }

  /** Whether the client waits to be told to go on before it sends its body. */
  get waits(): boolean {
    if (this.complete || this.#hasBegun || this.httpVersionMinor === 0) return false;
    return /\b100-continue\b/i.test(this.header("expect") ?? "");
  }

  /** Sends the body to `sink`, whole, or says why it breaks off. To be called once. */
  receive(sink: BodySink, onBroken: (cause: unknown) => void): void {
    if (this.#cause !== undefined) {
      onBroken(this.#cause);
      return;
    }
    if (this.waits) {
      this.#hasBegun = true;
      this.socket.write("HTTP/1.1 100 Continue\r\n\r\n");
    }
    this.#onBroken = onBroken;
    this.#flow(sink);
  }

  /** What comes of the body is dropped, so that the connection can go on. */
  resume(): void {
    if (this.#sink === undefined && !this.complete) this.#flow(drop);
  }

  /** Nothing more comes of it: the connection is gone, or what it sends is not HTTP. */
  break(cause: unknown): void {
    const onBroken = this.#onBroken;
    this.#onBroken = undefined;
    this.#cause = cause;
    this.#early = [];
    if (!this.complete) this.#sink = drop;
    onBroken?.(cause);
  }

  /** It is answered. The parser may hold it until the next one comes: it keeps nothing, and drops what is left of its body. */
  leave(): void {
    this.rawHeaders = NO_HEADERS;
    this.#headers = undefined;
    this.resume();
  }

  /** @returns it as Node's own message, a stream. Not after `receive` */
  toMessage(): IncomingMessage {
    const message = new IncomingMessage(this.socket);
    const { method, url, httpVersion, httpVersionMajor, httpVersionMinor, upgrade } = this;
    Object.assign(message, { method, url, httpVersion, httpVersionMajor, httpVersionMinor, upgrade });
    (message as unknown as HeaderLines)._addHeaderLines(this.rawHeaders, this.rawHeaders.length);
    for (const chunk of this.#early) message.push(chunk);
    if (this.complete) {
      message.complete = true;
      message.push(null);
    }
    return message;
  }

  /** Node's parser calls this with the headers, and with those behind the body, which nobody reads. */
  _addHeaderLines(headers: string[] | undefined): void {
    if (headers !== undefined && !this.complete) this.rawHeaders = headers;
  }

  /** Node's parser calls this with each piece of the body. @returns whether to read on */
  push(chunk: Buffer | null): boolean {
    const sink = this.#sink;
    this.#hasBegun = true;
    if (sink !== undefined) {
      if (chunk === null) this.#end(sink);
      else sink(chunk);
      return true;
    }
    if (chunk === null) return true;
    this.#early.push(chunk);
    this.earlyBytes += chunk.length + PIECE_BYTES;
    this.#isHeld = this.earlyBytes >= EARLY_BYTES_MAX;
    return !this.#isHeld;
  }

  /** Node's server tells of its timer so. @returns whether that was heard */
  emit(): boolean {
    return false;
  }

  #flow(sink: BodySink): void {
    this.#sink = sink;
    const early = this.#early;
    this.#early = [];
    this.earlyBytes = 0;
    for (const chunk of early) sink(chunk);
    if (this.complete) this.#end(sink);
    else if (this.#isHeld) this.socket.resume();
  }

  #end(sink: BodySink): void {
    this.#onBroken = undefined;
    this.#sink = drop;
    sink(null);
  }
}

const drop: BodySink = () => {};

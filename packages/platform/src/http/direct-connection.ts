import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { DirectRequest } from "./direct-request.ts";
import { DirectResponse, type Line } from "./direct-response.ts";

export interface DirectOptions {
  /** Gets each request. @returns whether it takes it; the others go the way of Node's own server */
  take: (request: DirectRequest, response: DirectResponse) => boolean;
  isClosing: () => boolean;
  /** How long an idle connection is kept, in milliseconds. */
  idleMs: number;
}

/** What Node's server keeps at a connection, and looks at. */
interface ServerSocket extends Socket {
  parser: Parser | null;
  /** The answer that is being made, if there is one. */
  _httpMessage: DirectResponse | ServerResponse | null | undefined;
  _paused: boolean;
}

/** Node's parser of one connection. */
interface Parser {
  incoming: DirectRequest | IncomingMessage | null;
  onIncoming(request: DirectRequest | IncomingMessage, keepAlive: boolean): number;
  resume(): void;
}

/** Beyond what the client was told, so that it does not send a request into the end. Node allows as much. */
const IDLE_MARGIN_MS = 1000;
/** Requests that wait for an answer before theirs, and what their bodies hold, past which the connection is read no further. */
const AHEAD_MAX = 32;
const AHEAD_BYTES_MAX = 64 * 1024;
/** What the parser wants to hear: nothing special about this request. */
const ORDINARY = 0;

/**
 * The requests of one connection, one after the other: what comes ahead of an answer waits. Node's parser frames them. A
 * request that nobody takes here gets Node's own message and response, and goes on where it would have gone.
 */
export class DirectConnection implements Line {
  readonly idleSeconds: number;
  readonly isClosing: () => boolean;
  readonly #socket: ServerSocket;
  readonly #parser: Parser;
  readonly #passOn: Parser["onIncoming"];
  readonly #options: DirectOptions;
  readonly #ahead: { request: DirectRequest; keepAlive: boolean }[] = [];
  #current: DirectRequest | undefined;
  #isBusy = false;
  #isBeginning = false;
  /** Nothing more is begun here. */
  #isOver = false;
  /** The one behind which the parser stops. */
  #last: { readonly complete: boolean } | undefined;
  #hasTimer = false;

  /** @param socket one that Node's server has just taken, whose messages are `DirectRequest`s */
  constructor(socket: Socket, options: DirectOptions) {
    this.#socket = socket as ServerSocket;
    this.#parser = this.#socket.parser as Parser;
    this.#passOn = this.#parser.onIncoming;
    this.#options = options;
    this.idleSeconds = Math.floor(options.idleMs / 1000);
    this.isClosing = options.isClosing;
    this.#parser.onIncoming = (request, keepAlive) => this.#onRequest(request as DirectRequest, keepAlive);
    socket.on("close", () => this.cut(new Error("the connection was closed")));
    // Node reads on when an answer has drained, whatever waits.
    socket.on("drain", () => this.#hold());
  }

  /** Nothing that comes on this connection counts any more: it is gone, or not HTTP. */
  cut(cause: Error): void {
    this.#isOver = true;
    this.#ahead.length = 0;
    this.#current?.break(cause);
  }

  /** Whether the last request here is complete and waits for its answer: what comes behind it is nobody's business. */
  get hasLast(): boolean {
    return this.#last?.complete === true && this.#socket.writable;
  }

  /** All of an answer is out. */
  onEnd(): void {
    this.#free();
    this.#next();
  }

  #onRequest(request: DirectRequest, keepAlive: boolean): number {
    if (this.#isOver || !this.#socket.writable) {
      request.upgrade = false;
      request.leave();
      return ORDINARY;
    }
    let stays = keepAlive;
    if (request.upgrade) {
      // The parser stops behind such a request, as another protocol may begin there. None does: it is the last one here.
      this.#isOver = true;
      this.#last = request;
      stays = false;
      request.upgrade = request.method === "CONNECT";
    }
    if (!this.#isBusy) return this.#begin(request, stays);
    this.#ahead.push({ request, keepAlive: stays });
    this.#hold();
    return ORDINARY;
  }

  #begin(request: DirectRequest, keepAlive: boolean): number {
    if (request.upgrade) return this.#hand(request, keepAlive);
    const response = new DirectResponse(request, keepAlive, this);
    this.#isBusy = true;
    this.#current = request;
    this.#socket._httpMessage = response;
    if (!this.#hasTimer) this.#socket.setTimeout(this.#options.idleMs + IDLE_MARGIN_MS);
    this.#hasTimer = true;
    if (this.#options.take(request, response)) return ORDINARY;
    this.#free();
    return this.#hand(request, keepAlive);
  }

  /** Gives a request to Node's server, as if nobody had been here. */
  #hand(request: DirectRequest, keepAlive: boolean): number {
    const message = request.toMessage();
    if (this.#parser.incoming === request) this.#parser.incoming = message;
    if (this.#last === request) this.#last = message;
    this.#socket.setTimeout(0);
    this.#hasTimer = false;
    const verdict = this.#passOn.call(this.#parser, message, keepAlive);
    this.#isBusy = true;
    // None where Node has ended the connection.
    const response = this.#socket._httpMessage as ServerResponse | null | undefined;
    response?.once("close", () => this.#next());
    return verdict;
  }

  #free(): void {
    const request = this.#current;
    this.#current = undefined;
    this.#isBusy = false;
    this.#socket._httpMessage = null;
    if (request?.complete === true && this.#parser.incoming === request) this.#parser.incoming = null;
  }

  /** An answer is out: the next request may begin, unless the connection ends. */
  #next(): void {
    this.#isBusy = false;
    // One that is answered at once comes back here before it has begun.
    if (this.#isBeginning) return;
    this.#isBeginning = true;
    try {
      while (!this.#isBusy && this.#socket.writable) {
        const next = this.#ahead.shift();
        if (next === undefined) break;
        this.#begin(next.request, next.keepAlive);
      }
    } finally {
      this.#isBeginning = false;
    }
    if (this.#socket.writable) this.#readOn();
    else this.#ahead.length = 0;
  }

  /** Stops reading where enough waits. */
  #hold(): void {
    if (this.#socket._paused || !this.#hasEnough()) return;
    // Node's server pauses its parser too once it sees this.
    this.#socket._paused = true;
    this.#socket.pause();
  }

  #readOn(): void {
    if (!this.#socket._paused || this.#hasEnough()) return;
    this.#socket._paused = false;
    this.#socket.parser?.resume();
    this.#socket.resume();
  }

  #hasEnough(): boolean {
    if (this.#ahead.length >= AHEAD_MAX) return true;
    let bytes = 0;
    for (const { request } of this.#ahead) bytes += request.earlyBytes;
    return bytes >= AHEAD_BYTES_MAX;
  }
}

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
/** More requests than one read of a connection can bring; who sends more without waiting for answers is cut off. */
const AHEAD_MAX = 4096;
/** What the parser wants to hear: nothing special about this request. */
const ORDINARY = 0;

/**
 * The requests of one connection, one after the other: what comes ahead of an answer waits, and no more than one read of it
 * meanwhile. Node's parser frames them. A request that nobody takes here gets Node's own message and response, and goes
 * on where it would have gone.
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
    socket.on("close", () => {
      this.#ahead.length = 0;
      this.#current?.break(new Error("the connection was closed"));
    });
  }

  #onRequest(request: DirectRequest, keepAlive: boolean): number {
    if (!this.#isBusy) return this.#begin(request, keepAlive);
    this.#ahead.push({ request, keepAlive });
    if (this.#ahead.length > AHEAD_MAX) this.#socket.destroy();
    else if (!this.#socket._paused) {
      // Node's server pauses its parser too once it sees this.
      this.#socket._paused = true;
      this.#socket.pause();
    }
    return ORDINARY;
  }

  #begin(request: DirectRequest, keepAlive: boolean): number {
    // Nobody here changes protocols: such a request is an ordinary one, but for the method that can be nothing else.
    if (request.method === "CONNECT") return this.#hand(request, keepAlive);
    request.upgrade = false;
    const response = new DirectResponse(request, keepAlive, this);
    this.#isBusy = true;
    this.#current = request;
    this.#socket._httpMessage = response;
    if (this.#options.take(request, response)) return ORDINARY;
    this.#free();
    return this.#hand(request, keepAlive);
  }

  /** Gives a request to Node's server, as if nobody had been here. */
  #hand(request: DirectRequest, keepAlive: boolean): number {
    const message = request.toMessage();
    if (this.#parser.incoming === request) this.#parser.incoming = message;
    if (this.#hasTimer) this.#socket.setTimeout(0);
    this.#hasTimer = false;
    const verdict = this.#passOn.call(this.#parser, message, keepAlive);
    // None where Node has ended the connection.
    const response = this.#socket._httpMessage as ServerResponse | null | undefined;
    this.#isBusy = true;
    response?.once("close", () => this.#next());
    return verdict;
  }

  onEnd(): void {
    this.#free();
    if (!this.#hasTimer && this.#socket.writable)
      this.#socket.setTimeout(this.#options.idleMs + IDLE_MARGIN_MS);
    this.#hasTimer = true;
    this.#next();
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
    this.#isBusy = !this.#socket.writable;
    if (this.#isBusy) this.#ahead.length = 0;
    // One that is answered at once comes back here before it has begun.
    if (this.#isBeginning) return;
    this.#isBeginning = true;
    while (!this.#isBusy) {
      const next = this.#ahead.shift();
      if (next === undefined) break;
      this.#begin(next.request, next.keepAlive);
    }
    this.#isBeginning = false;
    // The body of the one that has just begun may still be on its way.
    if (this.#ahead.length > 0 || !this.#socket._paused) return;
    this.#socket._paused = false;
    this.#socket.parser?.resume();
    this.#socket.resume();
  }
}

import { type OutgoingHttpHeaders, STATUS_CODES, validateHeaderName, validateHeaderValue } from "node:http";
import type { DirectRequest } from "./direct-request.ts";

/** What a response knows of its connection. */
export interface Line {
  /** How long an idle one is kept, in seconds. */
  readonly idleSeconds: number;
  /** Whether the server is leaving. */
  isClosing(): boolean;
  /** Called once, when all of the answer has been handed to the system. */
  onEnd(): void;
}

/**
 * The answer to a `DirectRequest`: a head, a body, one write. Node's own is a stream with events, which costs as much as
 * all else about a small answer.
 */
export class DirectResponse {
  /** Of what was sent, or will be if nobody says otherwise. */
  statusCode = 200;
  /** Whether all of it is out. Node's server leaves a connection alone until then. */
  finished = false;
  readonly #request: DirectRequest;
  readonly #keepAlive: boolean;
  readonly #line: Line;
  #head: string | undefined;
  #isAscii = false;
  #hasLength = false;
  #ended = false;

  /** @param keepAlive whether the client lets the connection stay open */
  constructor(request: DirectRequest, keepAlive: boolean, line: Line) {
    this.#request = request;
    this.#keepAlive = keepAlive;
    this.#line = line;
  }

  /** Whether the head is settled; it goes out with the body. */
  get headersSent(): boolean {
    return this.#head !== undefined;
  }

  /** @throws ERR_INVALID_HTTP_TOKEN, ERR_INVALID_CHAR for what a header may not hold */
  writeHead(status: number, headers: OutgoingHttpHeaders): void {
    let text = statusLine(status);
    let hasLength = false;
    for (const name in headers) {
      const value = headers[name];
      if (value === undefined) continue;
      validateHeaderName(name);
      for (const one of Array.isArray(value) ? value : [value]) {
        validateHeaderValue(name, String(one));
        text += `${name}: ${one}\r\n`;
      }
      hasLength ||= name.toLowerCase() === "content-length";
    }
    this.#settle(status, text, hasLength);
  }

  /**
   * As `writeHead`, for an answer with a body whose length is among the headers.
   * @param headers names and values in turn, all known to be clean and ASCII; none says how the connection goes on
   */
  writeCleanHead(status: number, headers: readonly string[]): void {
    let text = statusLine(status);
    for (let at = 0; at < headers.length; at += 2) text += `${headers[at]}: ${headers[at + 1]}\r\n`;
    this.#settle(status, text, true);
    this.#isAscii = true;
  }

  /** Sends it. @param encoding of a text; `latin1` if each of its characters is one byte */
  end(body: string | Buffer = "", encoding: "latin1" | "utf8" = "utf8"): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#head === undefined) this.writeHead(this.statusCode, {});
    const { socket, waits, method } = this.#request;
    if (!socket.writable) {
      // Whoever ended it sees to the rest.
      this.#finish(true);
      return;
    }
    // A client that was not told to go on may send its body or not: what comes next on this connection nobody knows.
    const stays = this.#keepAlive && !waits && !this.#line.isClosing();
    const mayHaveBody = this.statusCode !== 204 && this.statusCode !== 304;
    const head = this.#headText(stays, mayHaveBody && !this.#hasLength ? Buffer.byteLength(body) : undefined);
    this.#send(head, mayHaveBody && method !== "HEAD" ? body : "", encoding);
    this.#request.leave();
    if (socket.writableLength === 0) this.#finish(stays);
    else socket.write("", () => this.#finish(stays));
  }

  /** Ends the connection, unless all of this answer is out: then it is others' by now. */
  destroy(): void {
    if (!this.finished) this.#request.socket.destroy();
  }

  /** Node's server tells of its timer so. @returns whether the connection is to stay: there is an answer to come */
  emit(): boolean {
    return !this.#ended;
  }

  #settle(status: number, text: string, hasLength: boolean): void {
    if (this.#head !== undefined) throw new Error("this answer has its head already");
    this.statusCode = status;
    this.#head = text;
    this.#hasLength = hasLength;
  }

  /** @param length of the body, where the head has to say it still */
  #headText(stays: boolean, length: number | undefined): string {
    const connection = stays
      ? `Connection: keep-alive\r\nKeep-Alive: timeout=${this.#line.idleSeconds}`
      : "Connection: close";
    const own = length === undefined ? "" : `Content-Length: ${length}\r\n`;
    return `${this.#head}${own}Date: ${dateText()}\r\n${connection}\r\n\r\n`;
  }

  #send(head: string, body: string | Buffer, encoding: "latin1" | "utf8"): void {
    const { socket } = this.#request;
    if (typeof body === "string" && (this.#isAscii || encoding === "latin1" || body === "")) {
      socket.write(head + body, this.#isAscii ? encoding : "latin1");
      return;
    }
    socket.cork();
    socket.write(head, "latin1");
    socket.write(body, encoding);
    socket.uncork();
  }

  #finish(stays: boolean): void {
    this.finished = true;
    if (!stays) this.#request.socket.destroySoon();
    this.#line.onEnd();
  }
}

const statusLine = (status: number): string => `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "unknown"}\r\n`;

let shown = { second: 0, text: "" };

/** @returns this second as headers write it */
function dateText(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== shown.second) shown = { second, text: new Date(second * 1000).toUTCString() };
  return shown.text;
}

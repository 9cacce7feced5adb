import { type IncomingMessage, ServerResponse, STATUS_CODES } from "node:http";

/** What of Node's own response is written here. */
interface Head {
  _header: string;
  _keepAliveTimeout: number;
}

/**
 * A response whose head can be written as it is. Node looks at each name and value for what a header may not hold, and for
 * those that change how the connection goes on; for the few headers of our own answers, which hold neither, that costs more
 * than all else about the head.
 */
export class DirectResponse<
  Request extends IncomingMessage = IncomingMessage,
> extends ServerResponse<Request> {
  /**
   * As `writeHead`, for an answer with a body whose length is among the headers.
   * @param headers names and values in turn, all known to be clean; none says how the connection goes on
   */
  writeCleanHead(status: number, headers: readonly string[]): void {
    if (!this.shouldKeepAlive || this.getHeaderNames().length > 0) {
      this.writeHead(status, [...headers]);
      return;
    }
    const head = this as unknown as Head;
    let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
    for (let at = 0; at < headers.length; at += 2) text += `${headers[at]}: ${headers[at + 1]}\r\n`;
    const seconds = Math.floor(head._keepAliveTimeout / 1000);
    this.statusCode = status;
    head._header = `${text}Date: ${dateText()}\r\nConnection: keep-alive\r\nKeep-Alive: timeout=${seconds}\r\n\r\n`;
  }
}

let shown = { second: 0, text: "" };

/** @returns this second as headers write it */
function dateText(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== shown.second) shown = { second, text: new Date(second * 1000).toUTCString() };
  return shown.text;
}

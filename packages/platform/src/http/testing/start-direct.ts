import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import type { DirectRequest } from "../direct-request.ts";
import type { DirectResponse } from "../direct-response.ts";
import { createFrontServer, type FrontServerOptions } from "../front-server.ts";

export interface Client extends Disposable {
  socket: Socket;
  /** Waits until what was received ends the way a pattern says. @returns all of it */
  until(pattern: RegExp): Promise<string>;
  /** @returns what was received when the server has hung up */
  closed(): Promise<string>;
}

export type Route = (request: DirectRequest, response: DirectResponse) => void;

/** A server with one route that takes everything but `/node…`, which goes to Node's own. */
export async function startDirect(route: Route, options: Partial<FrontServerOptions> = {}) {
  const front = createFrontServer({
    routes: [
      (request, response) => {
        if (request.url.startsWith("/node")) return false;
        route(request, response);
        return true;
      },
    ],
    fallback: (request, response) => answerByNode(request, response),
    ...options,
  });
  const { port } = await front.listen({ host: "127.0.0.1", port: 0 });
  return {
    front,
    /** @param options `allowHalfOpen`: the client does not end when the server does */
    open(options: { allowHalfOpen?: boolean } = {}): Client {
      const socket = connect({ port, host: "127.0.0.1", ...options });
      let seen = "";
      socket.setEncoding("latin1").on("data", (part: string) => (seen += part));
      socket.on("error", () => {});
      return {
        socket,
        async until(pattern) {
          while (!pattern.test(seen)) {
            assert.ok(!socket.destroyed, `hung up after ${JSON.stringify(seen.slice(-200))}`);
            const waiting = new AbortController();
            const { signal } = waiting;
            await Promise.race([once(socket, "data", { signal }), once(socket, "close", { signal })]);
            waiting.abort();
          }
          return seen;
        },
        async closed() {
          if (!socket.destroyed) await once(socket, "close");
          return seen;
        },
        [Symbol.dispose]: () => void socket.destroy(),
      };
    },
    [Symbol.asyncDispose]: () => front.close(0),
  };
}

function answerByNode(request: IncomingMessage, response: ServerResponse): void {
  let size = 0;
  request.on("data", (part: Buffer) => (size += part.length));
  request.on("end", () => response.end(`node ${request.url} ${size}`));
}

/** Answers with the path and the size of the body, after as many milliseconds as the path says. */
export const echo: Route = (request, response) => {
  let size = 0;
  request.receive(
    (chunk) => {
      if (chunk !== null) size += chunk.length;
      else setTimeout(() => response.end(`${request.url} ${size}.`), Number(/\d+$/.exec(request.url) ?? 0));
    },
    () => {},
  );
};

export const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
export const post = (path: string, body: string, headers = ""): string =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n${headers}\r\n${body}`;
export const bodies = (seen: string): string[] => seen.split(/HTTP\/1\.1 [^]*?\r\n\r\n/).slice(1);

import type { FastifyReply } from "fastify";
import { API_SECURITY_HEADERS } from "../http/security-headers.ts";

/** An open answer of server-sent events. */
export interface EventStream {
  /** Sends one event with its data as JSON. @param id where a client that comes back says it was */
  send(event: string, data: unknown, id?: string): void;
  end(): void;
  /** Fires when the client has gone, the server closes, or the client reads too slowly. */
  readonly closed: AbortSignal;
}

const PING_INTERVAL_MS = 15_000;
/** A client that lets this much pile up is cut off: it may come back and go on at its cursor. */
const UNREAD_BYTES_MAX = 8 * 1024 * 1024;

/**
 * Turns an answer into a stream of server-sent events.
 * @param closing ends the stream when the server closes
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export function openEventStream(reply: FastifyReply, closing: AbortSignal): EventStream {
  reply.hijack();
  const { raw } = reply;
  const gone = new AbortController();
  const closed = AbortSignal.any([gone.signal, closing]);
  raw.writeHead(200, {
    ...API_SECURITY_HEADERS,
    "content-type": "text/event-stream; charset=utf-8",
    "x-accel-buffering": "no",
    "x-request-id": reply.request.id,
  });
  raw.flushHeaders();
  const ping = setInterval(() => raw.write(": ping\n\n"), PING_INTERVAL_MS);
  const end = (): void => {
    clearInterval(ping);
    if (!raw.writableEnded) raw.end();
  };
  raw.on("close", () => gone.abort());
  closed.addEventListener("abort", end, { once: true });
  if (closed.aborted) end();
  return {
    send(event, data, id) {
      if (raw.writableEnded) return;
      const head = id === undefined ? "" : `id: ${id}\n`;
      raw.write(`${head}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
      if (raw.writableLength > UNREAD_BYTES_MAX) raw.destroy();
    },
    end,
    closed,
  };
}

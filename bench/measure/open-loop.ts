import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

export interface OpenLoopOptions {
  url: string;
  headers: Record<string, string>;
  body: string;
  /** Requests a second, sent whether or not the ones before were answered. */
  rate: number;
  seconds: number;
  socketsMax?: number;
}

export interface OpenLoopResult {
  sent: number;
  /** Answers with 2xx. */
  good: number;
  /** Answers with 429 that said when to come again. */
  refused: number;
  /** Everything else: other statuses, 429 without `Retry-After`, broken connections. */
  failed: number;
  goodPerSecond: number;
  /** Of the good ones, counted from the moment each was due, in milliseconds. */
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** How often requests that are due are sent. */
const TICK_MS = 5;

/**
 * Sends requests at a rate, whatever comes back: a slow server does not slow its load down. Latency counts from when
 * a request was due, so that what the sender could not send in time counts too.
 */
export async function openLoop(options: OpenLoopOptions): Promise<OpenLoopResult> {
  const { url, headers, body, rate, seconds } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: options.socketsMax ?? 2048 });
  const good: number[] = [];
  let refused = 0;
  let failed = 0;
  const open = new Set<Promise<void>>();

  function send(dueMs: number): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    open.add(promise);
    const end = (): void => {
      open.delete(promise);
      resolve();
    };
    const sent = request(url, {
      method: "POST",
      agent,
      headers: { ...headers, "content-length": body.length },
    });
    sent.on("response", (response) => {
      const { statusCode = 0 } = response;
      response.resume();
      response.on("end", () => {
        if (statusCode >= 200 && statusCode < 300) good.push(performance.now() - dueMs);
        else if (statusCode === 429 && response.headers["retry-after"] !== undefined) refused++;
        else failed++;
        end();
      });
    });
    sent.on("error", () => {
      failed++;
      end();
    });
    sent.end(body);
  }

  const startMs = performance.now();
  const all = Math.round(rate * seconds);
  let sent = 0;
  while (sent < all) {
    const due = Math.min(all, Math.floor(((performance.now() - startMs) / 1000) * rate));
    for (; sent < due; sent++) send(startMs + (sent * 1000) / rate);
    await sleep(TICK_MS);
  }
  await Promise.all(open);
  agent.destroy();
  const sorted = good.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    Math.round((sorted[Math.floor(share * (sorted.length - 1))] ?? 0) * 10) / 10;
  return {
    sent,
    good: good.length,
    refused,
    failed,
    goodPerSecond: Math.round(good.length / seconds),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
  };
}

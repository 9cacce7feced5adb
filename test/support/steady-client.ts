import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

export interface SteadyAnswer {
  status: number;
  body: Record<string, unknown>;
}

/** A caller that keeps a connection to each of several servers and asks those that are ready by turns. */
export interface SteadyClient extends Disposable {
  /**
   * Sends JSON. Where a connection is refused the next server is asked; whatever else goes wrong is thrown.
   * @throws when none of them takes it for `patienceMs`
   */
  post(path: string, body: unknown): Promise<SteadyAnswer>;
}

/** A connection nobody used for so long is let go of, in milliseconds: well before a server that ends stops giving notice. */
const IDLE_MAX_MS = 500;
/** How often servers are asked whether they are ready: a few times within the notice. */
const CHECK_EVERY_MS = 200;

/** Makes a caller as a load balancer would be: it knows what `/readyz` says, and that nobody listens somewhere. */
export function createSteadyClient(urls: readonly string[], patienceMs = 20_000): SteadyClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, timeout: IDLE_MAX_MS });
  const checks = new AbortController();
  const ready = new Set(urls);
  let turn = 0;

  const watch = async (url: string): Promise<void> => {
    while (!checks.signal.aborted) {
      const isReady = await fetch(`${url}/readyz`, {
        signal: AbortSignal.any([checks.signal, AbortSignal.timeout(1000)]),
      })
        .then(async (answer) => {
          await answer.body?.cancel();
          return answer.ok;
        })
        .catch(() => false);
      if (isReady) ready.add(url);
      else ready.delete(url);
      await sleep(CHECK_EVERY_MS);
    }
  };
  for (const url of urls) void watch(url);

  const send = (url: string, path: string, text: string): Promise<SteadyAnswer> =>
    new Promise((resolve, reject) => {
      const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
      const sent = request(url + path, { method: "POST", agent, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            body: JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>,
          }),
        );
      });
      sent.on("error", reject);
      sent.end(text);
    });

  return {
    async post(path, body) {
      const text = JSON.stringify(body);
      const untilMs = performance.now() + patienceMs;
      for (;;) {
        const url = urls[turn++ % urls.length] as string;
        try {
          if (ready.has(url)) return await send(url, path, text);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ECONNREFUSED") throw error;
        }
        if (performance.now() > untilMs) throw new Error(`no server took it for ${patienceMs} ms`);
        if (turn % urls.length === 0) await sleep(10);
      }
    },
    [Symbol.dispose]: () => {
      checks.abort();
      agent.destroy();
    },
  };
}

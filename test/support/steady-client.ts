import { Agent, request } from "node:http";

export interface SteadyAnswer {
  status: number;
  body: Record<string, unknown>;
}

/** A caller that keeps a connection to each of several servers and asks them by turns. */
export interface SteadyClient extends Disposable {
  /**
   * Sends JSON. Where a connection is refused the next server is asked; whatever else goes wrong is thrown.
   * @throws when all of them refuse for `patienceMs`
   */
  post(path: string, body: unknown): Promise<SteadyAnswer>;
}

/** A connection nobody used for so long is let go of, in milliseconds: well before a server that ends stops giving notice. */
const IDLE_MAX_MS = 500;

/** Makes a caller as a load balancer would be: it knows "nobody listens there" and nothing else. */
export function createSteadyClient(urls: readonly string[], patienceMs = 20_000): SteadyClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, timeout: IDLE_MAX_MS });
  let turn = 0;

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
        try {
          return await send(urls[turn++ % urls.length] as string, path, text);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ECONNREFUSED" || performance.now() > untilMs)
            throw error;
          if (turn % urls.length === 0) await new Promise((again) => setTimeout(again, 10));
        }
      }
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

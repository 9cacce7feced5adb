import { fileURLToPath } from "node:url";
import { median } from "./median.ts";
import { startServer } from "./server-process.ts";
import { postScript } from "./workload.ts";
import { load } from "./wrk.ts";

const CONNECTIONS = 64;

export interface BesideEcho {
  echo_per_s: number;
  enqueue_per_s: number;
  ratio: number;
  p99_ms: number;
  failures: number;
}

/**
 * Measures 202s that were on disk before they were sent, by turns with a server that only sends the body back.
 * @param seconds of each of the rounds
 * @returns the figures, and how many calls were queued in all
 */
export async function besideEcho(
  target: { url: string; script: string },
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<{ figures: BesideEcho; queued: number }> {
  const entry = fileURLToPath(new URL("../servers/echo.ts", import.meta.url));
  await using server = await startServer(entry);
  const targets = { echo: { url: server.hello["url"] ?? "", script: postScript() }, enqueue: target };
  const rates = { echo: [] as number[], enqueue: [] as number[] };
  const p99: number[] = [];
  let failures = 0;
  await load({ ...targets.echo, connections: CONNECTIONS, seconds: 2 });
  let { requests: queued } = await load({ ...target, connections: CONNECTIONS, seconds: 2 });
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? (["echo", "enqueue"] as const) : (["enqueue", "echo"] as const)) {
      const result = await load({ ...targets[name], connections: CONNECTIONS, seconds });
      rates[name].push(result.perSecond);
      if (name !== "enqueue") continue;
      p99.push(result.p99Us / 1000);
      queued += result.requests;
      failures += result.failures;
    }
  }
  const ratio = median(rates.enqueue.map((rate, round) => rate / (rates.echo[round] ?? Number.NaN)));
  const figures = {
    echo_per_s: Math.round(median(rates.echo)),
    enqueue_per_s: Math.round(median(rates.enqueue)),
    ratio: Math.round(ratio * 100) / 100,
    p99_ms: Math.round(median(p99) * 10) / 10,
    failures,
  };
  return { figures, queued };
}

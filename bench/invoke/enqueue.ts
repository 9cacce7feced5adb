import { fileURLToPath } from "node:url";
import { deploy } from "../measure/deploy.ts";
import { median } from "../measure/median.ts";
import { startServer } from "../measure/server-process.ts";
import { HELLO_CODE, postScript } from "../measure/workload.ts";
import { load } from "../measure/wrk.ts";

const entry = (name: string): string => fileURLToPath(new URL(`../servers/${name}.ts`, import.meta.url));

export interface EnqueueResult {
  echo_per_s: number;
  enqueue_per_s: number;
  ratio: number;
  p99_ms: number;
  failures: number;
}

/** Measures 202s that were on disk before they were sent, against a server that only sends the body back. */
export async function measureEnqueue({
  rounds,
  seconds,
}: {
  rounds: number;
  seconds: number;
}): Promise<EnqueueResult> {
  await using echo = await startServer(entry("echo"));
  const paused = { "limits.inflight_max": 0, "limits.async_depth_max": 100_000_000 };
  await using platform = await startServer(entry("platform"), [JSON.stringify(paused)]);
  const { url = "", token = "" } = platform.hello;
  await deploy({ url, token, name: "hello", code: HELLO_CODE });
  const targets = {
    echo: { url: echo.hello["url"] ?? "", script: postScript() },
    enqueue: {
      url: `${url}/v1/functions/hello:enqueue`,
      script: postScript({ authorization: `Bearer ${token}` }),
    },
  };
  const rates = { echo: [] as number[], enqueue: [] as number[] };
  const p99: number[] = [];
  let failures = 0;
  for (const target of Object.values(targets)) await load({ ...target, connections: 64, seconds: 2 });
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? (["echo", "enqueue"] as const) : (["enqueue", "echo"] as const)) {
      const result = await load({ ...targets[name], connections: 64, seconds });
      rates[name].push(result.perSecond);
      if (name !== "enqueue") continue;
      p99.push(result.p99Us / 1000);
      failures += result.failures;
    }
  }
  const ratio = median(rates.enqueue.map((rate, round) => rate / (rates.echo[round] ?? Number.NaN)));
  return {
    echo_per_s: Math.round(median(rates.echo)),
    enqueue_per_s: Math.round(median(rates.enqueue)),
    ratio: Math.round(ratio * 100) / 100,
    p99_ms: Math.round(median(p99) * 10) / 10,
    failures,
  };
}

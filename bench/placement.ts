import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type RedisServer, startRedis } from "@sous/store/testing";
import { deploy } from "./measure/deploy.ts";
import { median } from "./measure/median.ts";
import { type ServerProcess, startServer } from "./measure/server-process.ts";

/**
 * Placement: several whole platforms share store and queue, one of them is called, by turns for many functions. With
 * `cluster.placement` `warm` and `any`: how many calls were cold, how many invokers a function ran on, what the queue's
 * server had to do for a call. Needs redis-server and redis-cli.
 */
const { values } = parseArgs({
  options: {
    invokers: { type: "string", default: "4" },
    functions: { type: "string", default: "60" },
    rounds: { type: "string", default: "8" },
    callers: { type: "string", default: "4" },
    json: { type: "boolean", default: false },
  },
});
const [invokers, functions, rounds, callers] = [
  values.invokers,
  values.functions,
  values.rounds,
  values.callers,
].map(Number) as [number, number, number, number];
const CODE = `export default async function handle() {
  return { statusCode: 200, headers: {}, body: "done" };
}`;
const SETTLE_MS = 3000;

interface Ran {
  cold: boolean;
  invoker: string;
  tookMs: number;
}

/** @returns how many scripts the queue's server has run */
function scriptsOf({ url }: RedisServer): number {
  const text = execFileSync("redis-cli", ["-u", url, "info", "commandstats"], { encoding: "utf8" });
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(text)?.[1] ?? 0);
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function measure(placement: "warm" | "any") {
  await using queue = await startRedis();
  await using store = await startRedis();
  await using stack = new AsyncDisposableStack();
  const flags = {
    auth: "none",
    store: store.url,
    codeq: queue.url,
    secrets_key: [Buffer.alloc(32, 7).toString("base64")],
    "cluster.placement": placement,
    "cluster.heartbeat_ms": 1000,
  };
  const entry = fileURLToPath(new URL("./servers/platform.ts", import.meta.url));
  const servers: ServerProcess[] = [];
  for (let at = 0; at < invokers; at++) {
    servers.push(stack.use(await startServer(entry, [JSON.stringify(flags)])));
  }
  const url = servers[0]?.hello["url"] ?? "";
  for (let at = 0; at < functions; at++) await deploy({ url, token: "none", name: `fn-${at}`, code: CODE });
  await sleep(SETTLE_MS);

  async function call(name: string): Promise<{ id: string; tookMs: number }> {
    const begun = performance.now();
    const path = `/v1/tenants/t_default/namespaces/default/functions/${name}:invoke`;
    const response = await fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"ref":{"alias":"prod"},"event":1}',
    });
    const answer = (await response.json()) as { activation_id: string; status: string };
    if (answer.status !== "success") throw new Error(JSON.stringify(answer));
    return { id: answer.activation_id, tookMs: performance.now() - begun };
  }

  async function round(): Promise<{ id: string; tookMs: number }[]> {
    const found: { id: string; tookMs: number }[] = [];
    let next = 0;
    const caller = async (): Promise<void> => {
      while (next < functions) found.push(await call(`fn-${next++}`));
    };
    await Promise.all(Array.from({ length: callers }, caller));
    return found;
  }

  await round();
  const before = scriptsOf(queue);
  const calls: { id: string; tookMs: number }[] = [];
  for (let at = 0; at < rounds; at++) calls.push(...(await round()));
  const scripts = scriptsOf(queue) - before;
  await sleep(500);
  const places = new Map<string, Set<string>>();
  const ran: Ran[] = [];
  for (const { id, tookMs } of calls) {
    const response = await fetch(`${url}/v1/tenants/t_default/activations/${id}`);
    const record = (await response.json()) as Ran & { function: string };
    ran.push({ ...record, tookMs });
    places.set(record.function, (places.get(record.function) ?? new Set()).add(record.invoker));
  }
  const used = [...places.values()].reduce((sum, { size }) => sum + size, 0);
  return {
    placement,
    calls: calls.length,
    cold: ran.filter(({ cold }) => cold).length,
    invokers_a_function: Math.round((used / places.size) * 100) / 100,
    scripts_a_call: Math.round((scripts / calls.length) * 100) / 100,
    p50_ms: Math.round(median(ran.map(({ tookMs }) => tookMs)) * 100) / 100,
  };
}

const any = await measure("any");
const warm = await measure("warm");
const ratios = {
  cold: Math.round((warm.cold / any.cold) * 100) / 100,
  scripts: Math.round((warm.scripts_a_call / any.scripts_a_call) * 100) / 100,
};
if (values.json) console.log(JSON.stringify({ any, warm, ratios }, undefined, 2));
else {
  console.table([any, warm]);
  console.log(`cold starts over those without placement: ${ratios.cold}; scripts: ${ratios.scripts}`);
}

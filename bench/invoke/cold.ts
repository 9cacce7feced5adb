import { Agent, request } from "node:http";
import { fileURLToPath } from "node:url";
import { deploy } from "../measure/deploy.ts";
import { median, percentile } from "../measure/median.ts";
import { startServer } from "../measure/server-process.ts";
import { EVENT_JSON, HELLO_CODE } from "../measure/workload.ts";

/** So many that the 99th of a hundred is no single call: the largest of a hundred is above it more often than not. */
const VERSIONS = 400;
const TENANTS = 12;
/** A stem is started when one is taken; a pause lets it get ready, as it would be between two new tenants. */
const STEM_PAUSE_MS = 800;
const PLATFORM = fileURLToPath(new URL("../servers/platform.ts", import.meta.url));

export interface ColdRow {
  case: string;
  calls: number;
  p50_ms: number;
  p99_ms: number;
}

/** Measures first calls: of versions whose tenant has a host, of tenants without one, with and without a stem. */
export async function measureCold(): Promise<ColdRow[]> {
  await using platform = await startServer(PLATFORM, [JSON.stringify({ auth: "none" })]);
  const url = platform.hello["url"] ?? "";
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  await deploy({ url, token: "", name: "warm-up", code: HELLO_CODE });
  const warm: number[] = [];
  for (let i = 0; i < 300; i++) warm.push(await firstByte(agent, pathOf(url, "t_default", "warm-up")));
  const baseline = median(warm.slice(100));
  const versions: number[] = [];
  for (let i = 0; i < VERSIONS; i++) {
    await deploy({ url, token: "", name: `cold-${i}`, code: `// ${i}\n${HELLO_CODE}` });
    versions.push((await firstByte(agent, pathOf(url, "t_default", `cold-${i}`))) - baseline);
  }
  // A machine that slept is slower for anybody who wakes it: a warm call after the same pause is the measure.
  const afterPause: number[] = [];
  for (let i = 0; i < TENANTS; i++) {
    await new Promise((resolve) => setTimeout(resolve, STEM_PAUSE_MS));
    afterPause.push(await firstByte(agent, pathOf(url, "t_default", "warm-up")));
  }
  const withStem = await newTenants(agent, url, "stem", STEM_PAUSE_MS, median(afterPause));
  const without = await newTenants(agent, url, "none", 0, baseline);
  agent.destroy();
  return [
    row("the tenant has a host", versions),
    row("no host, a stem is ready", withStem),
    row("no host, no stem", without),
  ];
}

async function newTenants(
  agent: Agent,
  url: string,
  label: string,
  pauseMs: number,
  baseline: number,
): Promise<number[]> {
  const names = Array.from({ length: TENANTS }, (_, i) => `t_${label}0000${String.fromCharCode(97 + i)}`);
  for (const tenant of names) await deploy({ url, token: "", name: "hello", code: HELLO_CODE, tenant });
  const times: number[] = [];
  for (const tenant of names) {
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    times.push((await firstByte(agent, pathOf(url, tenant, "hello"))) - baseline);
  }
  // Back to back, the first of them still finds the stem.
  return pauseMs > 0 ? times : times.slice(1);
}

const pathOf = (url: string, tenant: string, name: string): string =>
  `${url}/v1/web/${tenant}/default/${name}/prod/`;

/** @returns milliseconds from sending a request to the first byte of its answer. @throws unless it is a success */
function firstByte(agent: Agent, url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const sent = request(
      url,
      { agent, method: "POST", headers: { "content-type": "application/json" } },
      (response) => {
        const ms = performance.now() - begun;
        response.resume();
        response.on("end", () =>
          response.statusCode === 200 ? resolve(ms) : reject(new Error(`${url}: ${response.statusCode}`)),
        );
      },
    );
    sent.on("error", reject);
    sent.end(EVENT_JSON);
  });
}

function row(name: string, times: readonly number[]): ColdRow {
  const round = (value: number): number => Math.round(value * 100) / 100;
  return {
    case: name,
    calls: times.length,
    p50_ms: round(median(times)),
    p99_ms: round(percentile(times, 0.99)),
  };
}

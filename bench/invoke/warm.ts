import { fileURLToPath } from "node:url";
import { cpuTimeMs } from "../measure/cpu-time.ts";
import { deploy } from "../measure/deploy.ts";
import { median } from "../measure/median.ts";
import { startServer } from "../measure/server-process.ts";
import { GET_SCRIPT, HELLO_CODE, postScript } from "../measure/workload.ts";
import { load } from "../measure/wrk.ts";

const WARM_UP_SECONDS = 4;
const entry = (name: string): string => fileURLToPath(new URL(`../servers/${name}.ts`, import.meta.url));

export interface WarmOptions {
  connections: number;
  rounds: number;
  seconds: number;
}

interface Row {
  requests_per_s: number;
  p50_us: number;
  p99_us: number;
  server_cpu_us: number;
  failures: number;
}

export interface WarmResult {
  connections: number;
  table: Record<string, Row>;
  /** Medians of the ratios of single rounds. */
  rateOverReference: number;
  cpuOverReference: number;
  p50OverReference: number;
  rateOverHello: number;
  cpuOverHello: number;
  ratios: string[];
}

/** Measures hello, the reference path and the whole platform in turn, round by round, in both orders. */
export async function measureWarm({ connections, rounds, seconds }: WarmOptions): Promise<WarmResult> {
  await using hello = await startServer(entry("hello"));
  await using reference = await startServer(entry("reference"), [HELLO_CODE]);
  await using platform = await startServer(entry("platform"));
  const { url = "", token = "" } = platform.hello;
  await deploy({ url, token, name: "hello", code: HELLO_CODE });
  const targets = [
    { name: "node:http hello", pid: hello.pid, url: hello.hello["url"] ?? "", script: GET_SCRIPT },
    { name: "reference path", pid: reference.pid, url: reference.hello["url"] ?? "", script: postScript() },
    {
      name: "sous",
      pid: platform.pid,
      url: `${url}/v1/functions/hello:invoke`,
      script: postScript({ authorization: `Bearer ${token}` }),
    },
  ];
  const rows = new Map<string, Row[]>(targets.map(({ name }) => [name, []]));
  for (const target of targets) await load({ ...target, connections, seconds: WARM_UP_SECONDS });
  for (let round = 0; round < rounds; round++) {
    for (const target of round % 2 === 0 ? targets : targets.toReversed()) {
      const before = cpuTimeMs(target.pid);
      const { requests, perSecond, p50Us, p99Us, failures } = await load({ ...target, connections, seconds });
      const cpuUs = ((cpuTimeMs(target.pid) - before) * 1000) / requests;
      rows
        .get(target.name)
        ?.push({ requests_per_s: perSecond, p50_us: p50Us, p99_us: p99Us, server_cpu_us: cpuUs, failures });
    }
  }
  const of = (name: string): Row[] => rows.get(name) ?? [];
  const ratio = (field: keyof Row, over: string): number =>
    median(of("sous").map((row, round) => row[field] / (of(over)[round]?.[field] ?? Number.NaN)));
  const result = {
    connections,
    table: Object.fromEntries(targets.map(({ name }) => [name, medians(of(name))])),
    rateOverReference: ratio("requests_per_s", "reference path"),
    cpuOverReference: ratio("server_cpu_us", "reference path"),
    p50OverReference: ratio("p50_us", "reference path"),
    rateOverHello: ratio("requests_per_s", "node:http hello"),
    cpuOverHello: ratio("server_cpu_us", "node:http hello"),
  };
  const ratios = [
    `over the reference path: ${result.rateOverReference.toFixed(2)}× the requests, ${result.cpuOverReference.toFixed(2)}× the processor time, ${result.p50OverReference.toFixed(2)}× the p50`,
    `over bare node:http:     ${result.rateOverHello.toFixed(2)}× the requests, ${result.cpuOverHello.toFixed(2)}× the processor time`,
  ];
  return { ...result, ratios };
}

function medians(rows: readonly Row[]): Row {
  const of = (field: keyof Row): number => Math.round(median(rows.map((row) => row[field])) * 10) / 10;
  return {
    requests_per_s: Math.round(of("requests_per_s")),
    p50_us: of("p50_us"),
    p99_us: of("p99_us"),
    server_cpu_us: of("server_cpu_us"),
    failures: rows.reduce((sum, row) => sum + row.failures, 0),
  };
}

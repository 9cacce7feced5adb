import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { barChart } from "./chart/bar-chart.ts";
import { cpuTimeMs } from "./measure/cpu-time.ts";
import { deploy } from "./measure/deploy.ts";
import { startExternal } from "./measure/external-server.ts";
import { median } from "./measure/median.ts";
import { startServer } from "./measure/server-process.ts";
import { HELLO_CODE, postScript } from "./measure/workload.ts";
import { load } from "./measure/wrk.ts";

/**
 * The same function, side by side in one run on one machine: behind bare `node:http`, in workerd, in Google's
 * functions-framework, and in SOUS with tokens, queue, record, limits and isolation on. `--chart FILE` draws it.
 */
const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    json: { type: "boolean", default: false },
    chart: { type: "string" },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const CONNECTIONS = 64;
const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const peers = path("./peers");
if (!existsSync(`${peers}/node_modules`)) {
  console.error("installing the peers …");
  execFileSync("npm", ["ci", "--ignore-scripts"], { cwd: peers, stdio: ["ignore", "ignore", "inherit"] });
}

await using plain = await startServer(path("./servers/function.ts"));
await using platform = await startServer(path("./servers/platform.ts"));
await using workerd = await startExternal((port) => ({
  file: `${peers}/node_modules/@cloudflare/workerd-${process.platform}-${process.arch === "x64" ? "64" : process.arch}/bin/workerd`,
  args: ["serve", "config.capnp", `--socket-addr=http=127.0.0.1:${port}`],
  cwd: peers,
}));
await using framework = await startExternal((port) => ({
  file: process.execPath,
  args: [
    `${peers}/node_modules/@google-cloud/functions-framework/build/src/main.js`,
    "--target=hello",
    `--port=${port}`,
  ],
  cwd: peers,
}));
const { url = "", token = "" } = platform.hello;
await deploy({ url, token, name: "hello", code: HELLO_CODE });
const targets = [
  { name: "bare node:http", pid: plain.pid, url: plain.hello["url"] ?? "", script: postScript() },
  { name: "workerd", pid: workerd.pid, url: workerd.url, script: postScript() },
  { name: "functions-framework", pid: framework.pid, url: framework.url, script: postScript() },
  {
    name: "SOUS",
    pid: platform.pid,
    url: `${url}/v1/functions/hello:invoke`,
    script: postScript({ authorization: `Bearer ${token}` }),
  },
];

interface Row {
  requests_per_s: number;
  p50_ms: number;
  p99_ms: number;
  server_cpu_us: number;
  failures: number;
}
const rows = new Map<string, Row[]>(targets.map(({ name }) => [name, []]));
for (const target of targets) await load({ ...target, connections: CONNECTIONS, seconds: 3 });
for (let round = 0; round < rounds; round++) {
  for (const target of round % 2 === 0 ? targets : targets.toReversed()) {
    const before = cpuTimeMs(target.pid);
    const { requests, perSecond, p50Us, p99Us, failures } = await load({
      ...target,
      connections: CONNECTIONS,
      seconds,
    });
    rows.get(target.name)?.push({
      requests_per_s: perSecond,
      p50_ms: p50Us / 1000,
      p99_ms: p99Us / 1000,
      server_cpu_us: ((cpuTimeMs(target.pid) - before) * 1000) / requests,
      failures,
    });
  }
}
const table = Object.fromEntries(
  targets.map(({ name }) => {
    const all = rows.get(name) ?? [];
    const of = (field: keyof Row): number => Math.round(median(all.map((row) => row[field])) * 100) / 100;
    const plainRate = (round: number): number =>
      rows.get("bare node:http")?.[round]?.requests_per_s ?? Number.NaN;
    const ratio = median(all.map((row, round) => row.requests_per_s / plainRate(round)));
    const row = {
      requests_per_s: Math.round(of("requests_per_s")),
      over_node_http: Math.round(ratio * 100) / 100,
      p50_ms: of("p50_ms"),
      p99_ms: of("p99_ms"),
      server_cpu_us: Math.round(of("server_cpu_us")),
      failures: all.reduce((sum, { failures }) => sum + failures, 0),
    };
    return [name, row];
  }),
);
if (values.json) console.log(JSON.stringify(table, undefined, 2));
else {
  console.log(
    `\nthe same function, ${CONNECTIONS} connections, median of ${rounds} rounds of ${seconds} s, one machine`,
  );
  console.table(table);
}
if (values.chart !== undefined) {
  const bars = Object.entries(table).map(([label, row]) => ({ label, value: row.requests_per_s }));
  writeFileSync(
    values.chart,
    barChart({
      title: "Requests a second, the same function on the same machine",
      bars,
      highlight: "SOUS",
      note: "64 connections, two processors. SOUS alone has tokens, a queue, a record of each call, limits and isolation on.",
    }),
  );
}

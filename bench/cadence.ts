import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type MockCadence, startMockCadence } from "@sous/platform/cadence-testing";
import { cpuTimeMs } from "./measure/cpu-time.ts";
import { deploy } from "./measure/deploy.ts";
import { QUEUE_LAG_ALERT_MS } from "./measure/lag-alerts.ts";
import { startServer } from "./measure/server-process.ts";

/**
 * Activities of Cadence: how long one takes at a modest rate, from the workflow's wish to its answer, and how many a
 * second are done when many are always open. Each result is compared with what it has to be; none may be missing. The
 * server is the project's mock, in this process and on the same machine.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    rate: { type: "string", default: "50" },
    open: { type: "string", default: "256" },
    json: { type: "boolean", default: false },
  },
});
const seconds = Number(values.seconds);
const rate = Number(values.rate);
const open = Number(values.open);
const PLATFORM = fileURLToPath(new URL("./servers/platform.ts", import.meta.url));
const CODE = "export default (event) => ({ body: String(event.input.args[0].n * 2) });";

interface Done {
  isRight: boolean;
  /** From the wish to the answer. */
  tookMs: number;
  /** From the wish until a poll had it. */
  waitedMs: number;
}

let made = 0;

async function run(cadence: MockCadence): Promise<Done> {
  const n = made++;
  const wishedMs = Date.now();
  const { activity, ended } = cadence.schedule({
    tasklist: "bench",
    type: "Double",
    input: JSON.stringify({ n }),
  });
  const outcome = await ended;
  return {
    isRight: outcome.type === "completed" && outcome.result === String(n * 2),
    tookMs: Date.now() - wishedMs,
    waitedMs: (activity.attempts[0]?.begunMs ?? Date.now()) - wishedMs,
  };
}

const quantile = (all: readonly number[], share: number): number =>
  all.toSorted((a, b) => a - b)[Math.min(all.length - 1, Math.floor(all.length * share))] ?? Number.NaN;

function figuresOf(phase: string, done: readonly Done[], tookSeconds: number, cpuMs: number) {
  const took = done.map(({ tookMs }) => tookMs);
  return {
    phase,
    activities: done.length,
    per_second: Math.round(done.length / tookSeconds),
    p50_ms: quantile(took, 0.5),
    p99_ms: quantile(took, 0.99),
    lag_p99_ms: quantile(
      done.map(({ waitedMs }) => waitedMs),
      0.99,
    ),
    cpu_ms_each: Math.round((cpuMs / done.length) * 100) / 100,
    lost_or_wrong: done.filter(({ isRight }) => !isRight).length,
  };
}

await using cadence = await startMockCadence({ pollMs: 5000 });
await using platform = await startServer(PLATFORM, [
  JSON.stringify({ cadence: cadence.url, cadence_refresh_seconds: 1 }),
]);
const { url = "", token = "" } = platform.hello;
await deploy({ url, token, name: "double", code: CODE, maxConcurrency: 20 });
const created = await fetch(`${url}/v1/tenants/t_default/namespaces/default/cadence/workers`, {
  method: "POST",
  headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
  body: JSON.stringify({
    name: "bench",
    domain: "shop",
    tasklist: "bench",
    worker_id: "bench",
    activity_map: { Double: { function: "double", alias: "prod" } },
    pollers: { activity: 32 },
    limits: { max_inflight_tasks: open },
    result: "body",
  }),
});
if (!created.ok) throw new Error(await created.text());
// Warm: the first of them start the poller, a host and the isolates.
await Promise.all(Array.from({ length: 50 }, () => run(cadence)));

const modest: Promise<Done>[] = [];
let begunMs = Date.now();
let cpuMs = cpuTimeMs(platform.pid);
const cpuSince = (): number => cpuTimeMs(platform.pid) - cpuMs;
while (Date.now() < begunMs + seconds * 1000) {
  modest.push(run(cadence));
  await sleep(1000 / rate);
}
const modestDone = await Promise.all(modest);
const figures = [figuresOf(`${rate} a second`, modestDone, (Date.now() - begunMs) / 1000, cpuSince())];

const full: Done[] = [];
begunMs = Date.now();
cpuMs = cpuTimeMs(platform.pid);
const untilMs = begunMs + seconds * 1000;
await Promise.all(
  Array.from({ length: open }, async () => {
    while (Date.now() < untilMs) full.push(await run(cadence));
  }),
);
figures.push(figuresOf(`${open} always open`, full, (Date.now() - begunMs) / 1000, cpuSince()));

if (values.json) console.log(JSON.stringify(figures));
else console.table(figures);
const wrong = figures.reduce((sum, { lost_or_wrong }) => sum + lost_or_wrong, 0);
const lagMs = figures[0]?.lag_p99_ms ?? Number.NaN;
if (wrong > 0 || !(lagMs < QUEUE_LAG_ALERT_MS)) {
  console.error(`lost or wrong: ${wrong}; lag p99 ${lagMs} ms, alert from ${QUEUE_LAG_ALERT_MS} ms on`);
  process.exitCode = 1;
}

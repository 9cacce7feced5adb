import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { deploy } from "./measure/deploy.ts";
import { median } from "./measure/median.ts";
import { openLoop, type OpenLoopOptions, type OpenLoopResult } from "./measure/open-loop.ts";
import { startServer } from "./measure/server-process.ts";

/**
 * Fairness: a quiet tenant calls its function 20 times a second, alone and beside a noisy one with a hundred times
 * that, four times what its function can do. Printed is the quiet one's p99 of both, in turn.
 */
const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "10" },
    json: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const QUIET_RATE = 20;
/** How long the noise has gone on when the quiet one is measured. */
const NOISE_FIRST_S = 3;
const CODE = `export default async function handle() {
  await new Promise((resolve) => setTimeout(resolve, 20));
  return { statusCode: 200, headers: {}, body: "done" };
}`;

const run = promisify(execFile);

async function makeNoise(options: OpenLoopOptions): Promise<OpenLoopResult> {
  const entry = fileURLToPath(new URL("./measure/noise.ts", import.meta.url));
  const { stdout } = await run(process.execPath, [entry, JSON.stringify(options)]);
  return JSON.parse(stdout) as OpenLoopResult;
}

const flags = JSON.stringify({ auth: "none" });
await using platform = await startServer(fileURLToPath(new URL("./servers/platform.ts", import.meta.url)), [
  flags,
]);
const { url = "" } = platform.hello;
const callOf = async (tenant: string) => {
  await deploy({ url, token: "none", name: "waits", code: CODE, tenant, maxConcurrency: 10 });
  return {
    url: `${url}/v1/web/${tenant}/default/waits/prod`,
    headers: { "content-type": "application/json" },
    body: '{"n":1}',
  };
};
const quiet = await callOf("t_quiet00");
const noisy = await callOf("t_noisy00");
for (const call of [quiet, noisy]) await openLoop({ ...call, rate: 100, seconds: 2 });
const alone: number[] = [];
const beside: number[] = [];
const table: Record<string, unknown>[] = [];
for (let round = 0; round < rounds; round++) {
  const before = await openLoop({ ...quiet, rate: QUIET_RATE, seconds });
  const noisemaker = makeNoise({ ...noisy, rate: QUIET_RATE * 100, seconds: NOISE_FIRST_S + seconds });
  // Its process takes a while to start and to get warm, and a processor of its own for that.
  await sleep(NOISE_FIRST_S * 1000);
  const during = await openLoop({ ...quiet, rate: QUIET_RATE, seconds });
  const noise = await noisemaker;
  alone.push(before.p99Ms);
  beside.push(during.p99Ms);
  table.push({
    quiet_alone_p99_ms: before.p99Ms,
    quiet_beside_p99_ms: during.p99Ms,
    quiet_failed: during.failed + during.refused,
    noisy_good_per_s: noise.goodPerSecond,
    noisy_refused: noise.refused,
    noisy_failed: noise.failed,
  });
}
const ratio = Math.round(median(beside.map((ms, round) => ms / (alone[round] ?? Number.NaN))) * 100) / 100;
if (values.json) console.log(JSON.stringify({ rounds: table, p99_ratio: ratio }, undefined, 2));
else {
  console.table(table);
  console.log(`the quiet tenant's p99 beside the noisy one over alone: ${ratio}`);
}

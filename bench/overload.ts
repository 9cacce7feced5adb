import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { residentMiB } from "./measure/cpu-time.ts";
import { deploy } from "./measure/deploy.ts";
import { openLoop, type OpenLoopResult } from "./measure/open-loop.ts";
import { startServer } from "./measure/server-process.ts";

/**
 * Overload: a function that takes 20 ms in each of ten isolates can do 500 calls a second. It gets its capacity, then
 * twice that, for as many seconds as asked; printed are goodput, waiting times of what was accepted, refusals and
 * the platform's memory along the way.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    json: { type: "boolean", default: false },
  },
});
const seconds = Number(values.seconds);
const CAPACITY = 500;
const CODE = `export default async function handle() {
  await new Promise((resolve) => setTimeout(resolve, 20));
  return { statusCode: 200, headers: {}, body: "done" };
}`;
const WINDOWS = 6;

await using platform = await startServer(fileURLToPath(new URL("./servers/platform.ts", import.meta.url)));
const { url = "", token = "" } = platform.hello;
await deploy({ url, token, name: "waits", code: CODE, maxConcurrency: 10 });
const call = {
  url: `${url}/v1/functions/waits:invoke`,
  headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
  body: '{"n":1}',
};
await openLoop({ ...call, rate: CAPACITY / 2, seconds: 3 });
let peak: OpenLoopResult | undefined;
for (const share of [0.8, 0.9, 1]) {
  const result = await openLoop({ ...call, rate: CAPACITY * share, seconds: Math.min(10, seconds) });
  if (result.goodPerSecond > (peak?.goodPerSecond ?? 0)) peak = result;
}
const windows: {
  second: number;
  good_per_s: number;
  p99_ms: number;
  refused: number;
  failed: number;
  rss_mib: number;
}[] = [];
for (let index = 1; index <= WINDOWS; index++) {
  const result = await openLoop({ ...call, rate: CAPACITY * 2, seconds: seconds / WINDOWS });
  windows.push({
    second: Math.round((seconds / WINDOWS) * index),
    good_per_s: result.goodPerSecond,
    p99_ms: result.p99Ms,
    refused: result.refused,
    failed: result.failed,
    rss_mib: Math.round(residentMiB([platform.pid])),
  });
}
const good = windows.reduce((sum, window) => sum + window.good_per_s, 0) / windows.length;
const report = {
  peak: { good_per_s: peak?.goodPerSecond, p99_ms: peak?.p99Ms },
  overload: windows,
  goodput_over_peak: Math.round((good / (peak?.goodPerSecond ?? Number.NaN)) * 100) / 100,
};
if (values.json) console.log(JSON.stringify(report, undefined, 2));
else {
  console.log(`\npeak: ${report.peak.good_per_s} good answers a second, p99 ${report.peak.p99_ms} ms`);
  console.log(`twice the capacity (${2 * CAPACITY} a second) for ${seconds} s`);
  console.table(windows);
  console.log(`goodput over the peak: ${report.goodput_over_peak}`);
}

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { deploy } from "./measure/deploy.ts";
import { startServer } from "./measure/server-process.ts";
import { EVENT_JSON, HELLO_CODE } from "./measure/workload.ts";
import { load } from "./measure/wrk.ts";

/**
 * Density: many versions published over few tenants, a thousand of them warm. Prints memory for each warm isolate and
 * each host, the throughput of calls spread by Zipf's law over that of one function, at first and once the warm programs
 * are those of that load, and cold starts a second when calls are spread evenly.
 */
const { values } = parseArgs({
  options: {
    published: { type: "string", default: "10000" },
    warm: { type: "string", default: "1000" },
    tenants: { type: "string", default: "20" },
    seconds: { type: "string", default: "10" },
    settle: { type: "string", default: "60" },
    isolation: { type: "string", default: "warm" },
    json: { type: "boolean", default: false },
  },
});
const published = Number(values.published);
const warm = Number(values.warm);
const tenants = Number(values.tenants);
const seconds = Number(values.seconds);
const settleSeconds = Number(values.settle);
const isolation = values.isolation === "shared" ? "shared" : "warm";
/** The n-th is called 1/n as often as the first (Zipf's law with s = 1). */
const ZIPF = (n: number): number => 1 / (n + 1);
let seed = 0;

const flags = JSON.stringify({ auth: "none", "idle.isolate_ms": 600_000 });
await using platform = await startServer(fileURLToPath(new URL("./servers/platform.ts", import.meta.url)), [
  flags,
]);
const { url = "" } = platform.hello;
const say = (text: string): void => void (values.json || console.error(text));
const tenantOf = (n: number): string => `t_dense${String(n % tenants).padStart(3, "0")}`;
const pathOf = (n: number): string => `/v1/web/${tenantOf(n)}/default/fn${n}/prod`;

/** Runs a job for each number below `count`, a few at a time. */
async function each(count: number, job: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await job(next++);
  };
  await Promise.all(Array.from({ length: 32 }, worker));
}

say(`publishing ${published} functions of ${tenants} tenants …`);
const publishStart = performance.now();
await each(published, async (n) => {
  // Each has bytes of its own: nothing is shared but the machine.
  await deploy({
    url,
    token: "none",
    tenant: tenantOf(n),
    name: `fn${n}`,
    code: `${HELLO_CODE}\n// ${n}`,
    isolation,
  });
});
const publishSeconds = (performance.now() - publishStart) / 1000;

async function callOnce(n: number): Promise<void> {
  const response = await fetch(url + pathOf(n), { method: "POST", body: EVENT_JSON });
  await response.arrayBuffer();
}

await each(tenants, callOnce);
const before = memory();
say(`warming ${warm} …`);
await each(warm, callOnce);
const after = memory();

say("one function …");
const one = await run((n) => (n === 0 ? 1 : 0));
say("spread by Zipf's law …");
const first = await run(ZIPF);
say(`the same, ${settleSeconds} s later …`);
const zipf = await run(ZIPF, settleSeconds);
say("spread evenly …");
const even = await run(() => 1);
const end = memory();

const report = {
  published_per_s: Math.round(published / publishSeconds),
  isolation,
  warm_isolates: warm,
  hosts: after.hosts,
  mib_per_warm_isolate: round((after.hostsMiB - before.hostsMiB) / (warm - tenants)),
  mib_per_host: round(after.hostsMiB / after.hosts),
  one_function_per_s: Math.round(one.perSecond),
  zipf_first_per_s: Math.round(first.perSecond),
  zipf_first_over_one: round(first.perSecond / one.perSecond),
  zipf_per_s: Math.round(zipf.perSecond),
  zipf_cold_starts_per_s: Math.round(zipf.coldPerSecond),
  zipf_over_one: round(zipf.perSecond / one.perSecond),
  even_per_s: Math.round(even.perSecond),
  even_cold_starts_per_s: Math.round(even.coldPerSecond),
  failures: one.failures + first.failures + zipf.failures + even.failures,
  all_hosts_mib_at_the_end: Math.round(end.hostsMiB),
  platform_mib_at_the_end: Math.round(end.platformMiB),
};
if (values.json) console.log(JSON.stringify(report, undefined, 2));
else console.table([report]);

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/**
 * A script that draws as it goes: what is called seldom is called by and by. Paths are made beforehand, and a draw is a
 * search in a table: it costs the client a millionth of a second.
 * @param weightOf how often the n-th function is called, from 0, in proportion
 */
function scriptOf(weightOf: (n: number) => number): string {
  const paths = Array.from({ length: published }, (_, n) => `"${pathOf(n)}"`);
  const weights = Array.from({ length: published }, (_, n) => weightOf(n));
  return `local paths = { ${paths.join(",\n")} }
local sums, sum = {}, 0
for n, weight in ipairs({ ${weights.join(",")} }) do
  sum = sum + weight
  sums[n] = sum
end
math.randomseed(${++seed})
local body = [[${EVENT_JSON}]]
local headers = { ["content-type"] = "application/json" }
request = function()
  local wanted, low, high = math.random() * sum, 1, #sums
  while low < high do
    local middle = math.floor((low + high) / 2)
    if sums[middle] <= wanted then low = middle + 1 else high = middle end
  end
  return wrk.format("POST", paths[low], headers, body)
end`;
}

async function run(weightOf: (n: number) => number, warmUpSeconds = 3) {
  await load({ url, script: scriptOf(weightOf), connections: 64, seconds: warmUpSeconds });
  const coldBefore = await coldStarts();
  const startMs = performance.now();
  const result = await load({ url, script: scriptOf(weightOf), connections: 64, seconds });
  const coldPerSecond = ((await coldStarts()) - coldBefore) / ((performance.now() - startMs) / 1000);
  return { ...result, coldPerSecond };
}

async function coldStarts(): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  let sum = 0;
  for (const [, value] of text.matchAll(/^cs_invoker_cold_starts_total(?:\{[^}]*\})? ([\d.]+)$/gm))
    sum += Number(value);
  return sum;
}

/** Proportional set sizes: a page that several processes share counts once. */
function memory(): { hosts: number; hostsMiB: number; platformMiB: number } {
  const below = descendants(platform.pid);
  const sizes = below.map(pssMiB).filter((size) => size > 20);
  return {
    hosts: sizes.length,
    hostsMiB: sizes.reduce((sum, size) => sum + size, 0),
    platformMiB: pssMiB(platform.pid),
  };
}

function descendants(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      children.set(parent, [...(children.get(parent) ?? []), pid]);
    } catch {
      // It ended while we looked.
    }
  }
  const found: number[] = [];
  const queue = [root];
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    const below = children.get(pid) ?? [];
    found.push(...below);
    queue.push(...below);
  }
  return found;
}

function pssMiB(pid: number): number {
  try {
    const [, kib = "0"] =
      /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "latin1")) ?? [];
    return Number(kib) / 1024;
  } catch {
    return 0;
  }
}

import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createSqliteStore } from "@sous/store";
import { deploy } from "./measure/deploy.ts";
import { TICK_LAG_ALERT_MS } from "./measure/lag-alerts.ts";
import { startServer } from "./measure/server-process.ts";

/**
 * Schedules: ten thousand that are due in the same second. Printed is how long after it they are all queued, as the
 * activations' records say, and what became of them: each schedule has to have one tick, which ended well. They are written
 * into the store of a stopped platform, which is then started.
 */
const { values } = parseArgs({
  options: { schedules: { type: "string", default: "10000" }, json: { type: "boolean", default: false } },
});
const count = Number(values.schedules);
const NAMESPACES = 20;
const LEAD_MS = 8000;
/** So long nothing more is queued or ends: what is missing then is lost. */
const STALLED_MS = 30_000;
const data = mkdtempSync(join(tmpdir(), "sous-bench-schedules-"));
const entry = fileURLToPath(new URL("./servers/platform.ts", import.meta.url));
const flags = JSON.stringify({ auth: "none", data, "limits.async_depth_max": count });

{
  await using platform = await startServer(entry, [flags]);
  const { url = "" } = platform.hello;
  const code = "export default () => 1;";
  await deploy({ url, token: "none", name: "tick", code, tenant: "t_bench00", maxConcurrency: 10 });
}
const dueMs = Math.ceil((Date.now() + LEAD_MS) / 1000) * 1000;
{
  await using store = await createSqliteStore({
    path: join(data, "sous.db"),
    schedulesPerNamespaceMax: count,
  });
  const made = Array.from({ length: count }, (_, n) => {
    const record = {
      tenant: "t_bench00",
      namespace: "default",
      name: `tick-${n % NAMESPACES}-${n}`,
      uid: randomUUID(),
      every_seconds: 3600,
      overlap_policy: "skip" as const,
      ref: { function: "tick", alias: "prod" },
      payload: { n },
      enabled: true,
      jitter_seconds: 0,
      max_catchup_ticks: 60,
      generation: 1,
      created_at_ms: dueMs,
      updated_at_ms: dueMs,
    };
    return store.schedules?.create(record, { next_tick_ms: dueMs, due_at_ms: dueMs });
  });
  await Promise.all(made);
}
interface Tick {
  activation_id: string;
  status: string;
  enqueued_at_ms: number;
  trigger: { source: { schedule: string } };
}

const isOpen = ({ status }: Tick): boolean => status === "queued" || status === "running";

async function read(url: string): Promise<Tick[]> {
  const ticks: Tick[] = [];
  let cursor = "";
  do {
    const path = `/v1/tenants/t_bench00/activations?trigger=schedule&limit=500${cursor}`;
    const page = (await (await fetch(url + path)).json()) as { items: Tick[]; next_cursor: string | null };
    ticks.push(...page.items);
    cursor = page.next_cursor === null ? "" : `&cursor=${page.next_cursor}`;
  } while (cursor !== "");
  // What comes in or ends while pages are read may stand on two of them.
  return [...new Map(ticks.map((tick) => [tick.activation_id, tick])).values()];
}

/** Reads the ticks until all are there and have ended, or no more come or end. */
async function settled(url: string): Promise<Tick[]> {
  let [queued, ended] = [0, 0];
  for (let movedMs = Date.now(); ;) {
    const ticks = await read(url);
    const done = ticks.filter((tick) => !isOpen(tick)).length;
    if (done >= count && done === ticks.length) return ticks;
    if (ticks.length > queued || done > ended) [queued, ended, movedMs] = [ticks.length, done, Date.now()];
    if (Date.now() - movedMs > STALLED_MS) return ticks;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

let ticks: Tick[] = [];
{
  await using platform = await startServer(entry, [flags]);
  const { url = "" } = platform.hello;
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - Date.now()) + 5000));
  ticks = await settled(url);
}
rmSync(data, { recursive: true, force: true });
const lags = ticks.map(({ enqueued_at_ms }) => enqueued_at_ms - dueMs).toSorted((a, b) => a - b);
const schedules = new Set(ticks.map(({ trigger }) => trigger.source.schedule));
const at = (share: number): number =>
  lags[Math.min(lags.length - 1, Math.floor(lags.length * share))] ?? Number.NaN;
const figures = {
  schedules: count,
  missing: count - schedules.size,
  twice: ticks.length - schedules.size,
  not_ended: ticks.filter(isOpen).length,
  failed: ticks.filter((tick) => !isOpen(tick) && tick.status !== "success").length,
  first_ms: at(0),
  p50_ms: at(0.5),
  p99_ms: at(0.99),
  last_ms: at(1),
};
if (values.json) console.log(JSON.stringify(figures));
else console.table([figures]);
const wrong = figures.missing + figures.twice + figures.not_ended + figures.failed;
if (wrong > 0 || !(figures.last_ms < TICK_LAG_ALERT_MS)) {
  console.error(
    `${figures.missing} missing, ${figures.twice} twice, ${figures.not_ended} not ended, ${figures.failed} failed; the last one ${figures.last_ms} ms late, alert from ${TICK_LAG_ALERT_MS} ms on`,
  );
  process.exitCode = 1;
}

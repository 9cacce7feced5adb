import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { deploy } from "./measure/deploy.ts";
import { QUEUE_LAG_ALERT_MS } from "./measure/lag-alerts.ts";
import { type ServerProcess, startServer } from "./measure/server-process.ts";
import { HELLO_CODE } from "./measure/workload.ts";

/**
 * Asynchronous calls, with one function and with many: how many a second are taken (on disk before the 202), how soon
 * they start at a modest rate, and how fast a backlog is run after a restart. A few seconds each; the client is this
 * process, on the same machine.
 */
const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "4000" },
    functions: { type: "string", default: "1000" },
    json: { type: "boolean", default: false },
  },
});
const CALLS = Number(values.calls);
const SENDERS = 48;
const MODEST_CALLS = 500;
const MODEST_PAUSE_MS = 4;
/** What the calls of one function are to start within at the modest rate; with many functions most starts are cold. */
const START_P99_MS = 100;
/** So long nothing more ends: what is missing then is lost. */
const STALLED_MS = 30_000;
const PLATFORM = fileURLToPath(new URL("./servers/platform.ts", import.meta.url));
const ACTIVATIONS = "/v1/tenants/t_default/activations";

interface Activation {
  status: string;
  start_ms: number | null;
  end_ms: number | null;
  timings: { queue_ms: number };
  error?: { type: string; message: string };
}

interface Figures {
  functions: number;
  enqueue_per_s: number;
  start_p50_ms: number;
  start_p99_ms: number;
  /** What `start_p99_ms` has to stay below; from `alert_p99_ms` on an operator is told. */
  bar_p99_ms: number;
  alert_p99_ms: number;
  drain_per_s: number;
  /** Ends that were no success, by kind. */
  failed: string;
}

const nameOf = (at: number): string => `work-${String(at).padStart(4, "0")}`;

async function measure(functions: number): Promise<Figures> {
  const data = mkdtempSync(join(tmpdir(), "sous-bench-async-"));
  const settings = { data, "limits.async_depth_max": 1_000_000 };
  let token = "";
  try {
    const since = { modest: 0, backlog: 0 };
    let enqueuePerSecond = 0;
    let waits: number[] = [];
    {
      await using platform = await startServer(PLATFORM, [JSON.stringify(settings)]);
      token = platform.hello["token"] ?? "";
      for (let at = 0; at < functions; at += 8) {
        const names = Array.from({ length: Math.min(8, functions - at) }, (_, offset) => nameOf(at + offset));
        const { url = "" } = platform.hello;
        await Promise.all(names.map((name) => deploy({ url, token, name, code: HELLO_CODE })));
      }
      since.modest = Date.now();
      const sent: Promise<void>[] = [];
      for (let n = 0; n < MODEST_CALLS; n++) {
        sent.push(enqueue(platform, token, nameOf(n % functions)));
        await pause(MODEST_PAUSE_MS);
      }
      await Promise.all(sent);
      const ended = await allEnded(platform, token, since.modest, MODEST_CALLS);
      waits = ended.map(({ timings }) => timings.queue_ms).sort((a, b) => a - b);
    }
    {
      await using paused = await startServer(PLATFORM, [
        JSON.stringify({ ...settings, "limits.inflight_max": 0 }),
      ]);
      since.backlog = Date.now();
      const startedAt = performance.now();
      let next = 0;
      const sender = async (): Promise<void> => {
        while (next < CALLS) await enqueue(paused, token, nameOf(next++ % functions));
      };
      await Promise.all(Array.from({ length: SENDERS }, sender));
      enqueuePerSecond = CALLS / ((performance.now() - startedAt) / 1000);
    }
    await using platform = await startServer(PLATFORM, [JSON.stringify(settings)]);
    const drained = await allEnded(platform, token, since.backlog, CALLS);
    const first = Math.min(...drained.map(({ start_ms }) => start_ms ?? Infinity));
    const last = Math.max(...drained.map(({ end_ms }) => end_ms ?? 0));
    return {
      functions,
      enqueue_per_s: Math.round(enqueuePerSecond),
      start_p50_ms: waits[Math.floor(waits.length * 0.5)] ?? Number.NaN,
      start_p99_ms: waits[Math.floor(waits.length * 0.99)] ?? Number.NaN,
      bar_p99_ms: functions === 1 ? START_P99_MS : QUEUE_LAG_ALERT_MS,
      alert_p99_ms: QUEUE_LAG_ALERT_MS,
      drain_per_s: Math.round(CALLS / (Math.max(1, last - first) / 1000)),
      failed: failuresOf(drained),
    };
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

function failuresOf(ended: readonly Activation[]): string {
  const counts = new Map<string, number>();
  for (const { status, error } of ended) {
    if (status !== "success") counts.set(error?.type ?? status, (counts.get(error?.type ?? status) ?? 0) + 1);
  }
  return [...counts].map(([type, count]) => `${count} ${type}`).join(", ") || "none";
}

async function enqueue({ hello }: ServerProcess, token: string, name: string): Promise<void> {
  const response = await fetch(`${hello["url"]}/v1/functions/${name}:enqueue`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: '{"n":1}',
  });
  const text = await response.text();
  if (response.status !== 202) throw new Error(`${name}: ${response.status} ${text}`);
}

/** Waits until as many have ended, and reads them. @throws when some are missing and no more end */
async function allEnded(
  { hello }: ServerProcess,
  token: string,
  sinceMs: number,
  count: number,
): Promise<Activation[]> {
  let ended = 0;
  for (let movedMs = Date.now(); ;) {
    const found: Activation[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const query = new URLSearchParams({ limit: "500", since: String(sinceMs) });
      if (cursor !== "") query.set("cursor", cursor);
      const response: Response = await fetch(`${hello["url"]}${ACTIVATIONS}?${query}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      if (response.status !== 200)
        throw new Error(`activations: ${response.status} ${await response.text()}`);
      const page = (await response.json()) as { items: Activation[]; next_cursor: string | null };
      found.push(...page.items);
      cursor = page.next_cursor;
    }
    const open = found.filter(({ status }) => status === "queued" || status === "running").length;
    if (found.length >= count && open === 0) return found;
    if (found.length - open > ended) [ended, movedMs] = [found.length - open, Date.now()];
    if (Date.now() - movedMs > STALLED_MS) {
      throw new Error(
        `${ended} of ${count} have ended and no more for ${STALLED_MS / 1000} s: ${open} are open, ${count - found.length} have no record`,
      );
    }
    await pause(200);
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const results = [await measure(1), await measure(Number(values.functions))];
if (values.json) console.log(JSON.stringify(results));
else console.table(results);
for (const { functions, failed, start_p99_ms: lagMs, bar_p99_ms: barMs } of results) {
  if (failed === "none" && lagMs < barMs) continue;
  console.error(
    `${functions} functions: failed: ${failed}; from enqueue to start p99 ${lagMs} ms, has to be below ${barMs} ms (an alert is from ${QUEUE_LAG_ALERT_MS} ms on)`,
  );
  process.exitCode = 1;
}

import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type ActivationRecord, newActivationId, newDraftId } from "@sous/contract";
import { createSqliteStore, type Store } from "@sous/store";
import { createPostgresStore } from "@sous/store/postgres";
import { missingPostgres, startPostgres } from "@sous/store/testing";

/**
 * The store alone, every commit synced to the disk: activations created and ended a second, journal entries appended
 * and removed, publishes one after another and at once. In SQLite, and in a PostgreSQL of this machine if there is
 * one, in the same run.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "2" },
    open: { type: "string", default: "256" },
    rounds: { type: "string", default: "3" },
    json: { type: "boolean", default: false },
  },
});
const seconds = Number(values.seconds);
const open = Number(values.open);
const KEY = { tenant: "t_default", namespace: "default", name: "bench" };
const BODY = JSON.stringify({ event_json: JSON.stringify({ text: "x".repeat(400) }) });

type Work = (store: Store) => Promise<unknown>;

const WORK: Record<string, { open: number; work: Work }> = {
  "activations created and ended": { open, work: activation },
  "journal entries appended and removed": { open, work: journalEntry },
  "publishes, one at a time": { open: 1, work: publish },
  "publishes, 64 at once": { open: 64, work: publish },
};

async function activation(store: Store): Promise<void> {
  const nowMs = Date.now();
  const record: ActivationRecord = {
    ...KEY,
    activation_id: newActivationId(),
    request_id: "req_bench",
    function: KEY.name,
    ref: { function: KEY.name, version: 1 },
    resolved_version: 1,
    trigger: { type: "api", source: {} },
    principal: { sub: "ada", roles: ["admin"] },
    mode: "async",
    status: "queued",
    attempt: 1,
    attempts: [],
    enqueued_at_ms: nowMs,
    start_ms: null,
    end_ms: null,
    duration_ms: null,
    deadline_ms: nowMs + 3000,
    result_truncated: false,
    cold: false,
    cold_reason: "none",
    tier: "isolate",
    sandbox_id: "sb_1",
    timings: {
      queue_ms: 0,
      placement_ms: 0,
      boot_ms: 0,
      fetch_ms: 0,
      init_ms: 0,
      handler_ms: 0,
      host_calls_ms: 0,
    },
    cpu_ms: 0,
    memory_peak_bytes: 0,
    log_bytes: 0,
    logs_truncated: false,
    host_calls: 0,
    egress_bytes: 0,
  };
  await store.activations.create(record);
  await store.activations.finish({ ...record, status: "success", end_ms: nowMs + 1, duration_ms: 1 });
}

let serial = 0;

async function journalEntry(store: Store): Promise<void> {
  const id = `msg_${++serial}`;
  const nowMs = Date.now();
  await store.journal.append({
    id,
    topic: "cs.invoke",
    tenant: KEY.tenant,
    lane: "default/bench",
    body_json: BODY,
    attempt: 1,
    enqueued_at_ms: nowMs,
    due_at_ms: nowMs,
    expires_at_ms: nowMs + 60_000,
    dead: false,
    dead_reason: null,
  });
  await store.journal.remove(id);
}

async function publish(store: Store): Promise<void> {
  const nowMs = Date.now();
  const bundle = new TextEncoder().encode(`export default () => ${++serial};`.padEnd(4096));
  const sha256 = createHash("sha256").update(bundle).digest("hex");
  const draft_id = newDraftId();
  const times = { created_at_ms: nowMs, expires_at_ms: nowMs + 60_000 };
  await store.drafts.put(KEY, { draft_id, sha256, size_bytes: 4096, ...times, consumed: false }, bundle);
  const version = { sha256, published_at_ms: nowMs, published_by: "ada" };
  const request = { key: KEY, draftId: draft_id, alias: "prod", nowMs };
  await store.versions.publish({ ...request, version: version as never });
}

/** @returns how often a second a step was done with so many under way */
async function rate(store: Store, { open: lanes, work }: { open: number; work: Work }): Promise<number> {
  const begun = performance.now();
  const end = begun + seconds * 1000;
  let done = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() < end) {
      await work(store);
      done++;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return done / ((performance.now() - begun) / 1000);
}

const median = (list: readonly number[]): number =>
  list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;

const folder = mkdtempSync(join(tmpdir(), "sous-bench-store-"));
const missing = missingPostgres();
if (missing !== undefined) console.error(missing);
const server = missing === undefined ? await startPostgres({ durable: true }) : undefined;
const stores: Record<string, Store> = {
  sqlite: await createSqliteStore({ path: join(folder, "sous.db") }),
  ...(server === undefined ? {} : { postgres: await createPostgresStore({ url: server.database().url }) }),
};
for (const store of Object.values(stores)) {
  const record = { ...KEY, runtime: "cs-js", entry: "index.js", handler: "default" };
  await store.functions.create({ ...record, created_at_ms: Date.now(), deleted_at_ms: null });
}
const figures: Record<string, Record<string, number>> = {};
for (const [name, work] of Object.entries(WORK)) {
  const rates = Object.fromEntries(Object.keys(stores).map((engine) => [engine, [] as number[]]));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [engine, store] of Object.entries(stores)) {
      rates[engine]?.push(await rate(store, work));
    }
  }
  const row = Object.fromEntries(
    Object.entries(rates).map(([engine, list]) => [engine, Math.round(median(list))]),
  );
  const { sqlite = 0, postgres } = row;
  figures[name] = postgres === undefined ? row : { ...row, ratio: Number((postgres / sqlite).toFixed(2)) };
}
for (const store of Object.values(stores)) await store[Symbol.asyncDispose]();
await server?.[Symbol.asyncDispose]();
rmSync(folder, { recursive: true, force: true });
if (values.json) console.log(JSON.stringify(figures));
else console.table(figures);

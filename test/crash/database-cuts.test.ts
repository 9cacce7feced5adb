import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { missingPostgres, missingRedis, startPostgres, startProxy, startRedis } from "@sous/store/testing";
import { manifest, until } from "../support/api.ts";
import { startCluster } from "../support/cluster.ts";
import { type AcknowledgedCall, checkHistory, isTerminal, type SeenRecord } from "../support/history.ts";
import { reportProgress } from "../support/progress.ts";
import { noteRun, notesAllowed, startRunNotes } from "../support/run-notes.ts";
import { seeded, skipUnlessRequired } from "../support/scratch.ts";

/** How often the database is cut off: a few times with every test run, more often by `npm run soak`. */
const CUTS = Number(process.env["SOUS_SOAK_CUTS"] ?? 6);
const SEED = Number(process.env["SOUS_SOAK_SEED"] ?? 0x50553);
const SENDERS = 4;
const SEND_PAUSE_MS = 100;
const LEASE_MS = 2000;
const ATTEMPTS_MAX = 20;
const POISONED = 0.05;
/** Connections end; or nobody is there for a while; or nothing is heard and arrives late. */
const WAYS = ["cut", "away", "silent"] as const;
const DLQ = "/v1/tenants/t_default/namespaces/default/dlq";
const missing = missingPostgres() ?? missingRedis();

test(`the database in PostgreSQL cut off ${CUTS} times while calls run, seed ${SEED}: nothing acknowledged is lost, one end each`, async (context) => {
  if (missing !== undefined) return skipUnlessRequired(context, missing);
  const random = seeded(SEED);
  await using postgres = await startPostgres({ durable: true });
  await using redis = await startRedis({ durable: true });
  await using proxy = await startProxy(postgres.port);
  await using notes = await startRunNotes();
  await using cluster = await startCluster({
    store: `postgres://sous@127.0.0.1:${proxy.port}/${postgres.database().name}?pool=3`,
    codeq: redis.url,
    counts: { scheduler: 0 },
    settings: {
      "limits.invocation_lease_ms": LEASE_MS,
      "limits.async_depth_max": 100_000,
      "egress.private_allow": ["127.0.0.1/32"],
    },
  });
  const { api } = cluster;
  const code = `export default async ({ n, waitMs, poisoned }, ctx) => {
    ${noteRun(notes)}
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    if (poisoned) throw new Error("it always does");
    return { n };
  };`;
  const limits = { timeoutMs: 10_000, maxConcurrency: 20 };
  await api.deploy({
    name: "noted",
    files: {
      "function.js": code,
      "manifest.json": manifest({ capabilities: notesAllowed(notes), limits }),
    },
    config: { retry: { max_attempts: ATTEMPTS_MAX, backoff_ms: 20, backoff_max_ms: 200 } },
  });

  const calls = new Map<string, AcknowledgedCall>();
  const records = new Map<string, SeenRecord[]>();
  let cutting = true;
  let sent = 0;

  async function send(): Promise<void> {
    while (cutting) {
      const n = sent++;
      const poisoned = random() < POISONED;
      const sentMs = Date.now();
      const answer = await api.enqueue("noted", { n, waitMs: Math.floor(random() * 300), poisoned });
      const body = (await answer.json()) as { activation_id: string };
      if (answer.status === 202) calls.set(body.activation_id, { n, poisoned, sentMs, ackedMs: Date.now() });
      else assert.equal(answer.status, 503, JSON.stringify(body));
      await sleep(SEND_PAUSE_MS);
    }
  }

  /** Reads a record where it can be read, and keeps it where it differs from what was seen before. */
  async function read(id: string): Promise<boolean> {
    const response = await api.call("GET", `/v1/tenants/t_default/activations/${id}`);
    const text = await response.text();
    if (response.status !== 200) return false;
    const seen = records.get(id) ?? [];
    if (JSON.stringify(seen.at(-1)) !== text) records.set(id, [...seen, JSON.parse(text) as SeenRecord]);
    return isTerminal(records.get(id)?.at(-1) ?? { status: "queued" });
  }

  /** What was seen to have ended has to be found the same afterwards. */
  async function watch(): Promise<void> {
    while (cutting) {
      const ids = [...calls.keys()];
      const id = ids[Math.floor(random() * ids.length)];
      if (id !== undefined) await read(id);
      await sleep(20);
    }
  }

  /** Each way once before any comes again. */
  const ways: Record<(typeof WAYS)[number], (forMs: number) => Promise<void>> = {
    async cut() {
      proxy.cut();
    },
    async away(forMs) {
      proxy.refuse(true);
      proxy.cut();
      await sleep(forMs);
      proxy.refuse(false);
    },
    async silent(forMs) {
      proxy.partition("both");
      await sleep(forMs);
      proxy.partition(undefined);
    },
  };
  let left = [...WAYS];

  /** @returns what was done */
  async function strike(): Promise<string> {
    const [way = "cut"] = left.splice(Math.floor(random() * left.length), 1);
    if (left.length === 0) left = [...WAYS];
    const forMs = Math.round(random() * 2 * LEASE_MS);
    await ways[way](forMs);
    return way === "cut" ? way : `${way} for ${forMs} ms`;
  }

  const done: string[] = [];
  let ended = 0;
  using _progress = reportProgress(
    () => `${calls.size} of ${sent} taken, ${ended} ended, ${done.length} of ${CUTS} cuts`,
  );
  const load = Promise.all([...Array.from({ length: SENDERS }, send), watch()]);
  try {
    while (done.length < CUTS) {
      // In the middle of something.
      await sleep(200 + random() * 1300);
      done.push(await strike());
    }
  } finally {
    cutting = false;
  }
  await load;
  for (const id of calls.keys()) {
    await until(() => read(id), `${id} to end`, 60_000);
    ended++;
  }
  // Each of them once more: an end stays.
  for (const id of calls.keys()) await read(id);
  const dead = new Set<string>();
  let cursor = "";
  do {
    const page = await api.expect<{ items: { activation_id: string }[]; next_cursor: string | null }>(
      200,
      "GET",
      `${DLQ}?limit=500${cursor}`,
    );
    for (const { activation_id: id } of page.items) dead.add(id);
    cursor = page.next_cursor === null ? "" : `&cursor=${page.next_cursor}`;
  } while (cursor !== "");

  context.diagnostic(`${done.join(", ")}; ${calls.size} of ${sent} taken, ${dead.size} dead letters`);
  const { problems } = checkHistory(
    {
      calls,
      records,
      runs: notes.runs,
      aliasSteps: [{ kind: "move", version: 1, askedMs: 0, answeredMs: 0 }],
      dead,
    },
    { attemptsMax: ATTEMPTS_MAX, staleMs: 0 },
  );
  assert.deepEqual(problems.slice(0, 10), []);
  assert.ok(calls.size > sent / 3, `${calls.size} of ${sent} were taken`);
});

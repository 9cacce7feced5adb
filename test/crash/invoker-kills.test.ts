import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { missingPostgres, missingRedis, startPostgres, startRedis } from "@sous/store/testing";
import { manifest, until } from "../support/api.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { isTerminal, type SeenRecord } from "../support/history.ts";
import { reportProgress } from "../support/progress.ts";
import { seeded, skipUnlessRequired } from "../support/scratch.ts";

/** How much of it: a short one with every test run, a long one by `npm run soak`. */
const CALLS = Number(process.env["SOUS_SOAK_CALLS"] ?? 1000);
const KILL_EVERY_MS = CALLS > 10_000 ? 10_000 : 2000;
const SEED = Number(process.env["SOUS_SOAK_SEED"] ?? 0x50552);
const SENDERS = 24;
const LEASE_MS = 5000;
const PAGE = 500;
/** One call in so many fails each time. */
const FAILING = 20;
const TENANT = "/v1/tenants/t_default";

interface Listed extends SeenRecord {
  activation_id: string;
}

interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

const missing = missingRedis() ?? missingPostgres();

test(`${CALLS} calls, of which one in ${FAILING} fails, while invokers are killed every ${KILL_EVERY_MS / 1000} s: all end, once, well or as dead letters`, async (context) => {
  if (missing !== undefined) return skipUnlessRequired(context, missing);
  const random = seeded(SEED);
  await using redis = await startRedis({ durable: true });
  await using postgres = await startPostgres({ durable: true });
  await using cluster = await startCluster({
    store: `${postgres.database().url}?pool=6`,
    codeq: redis.url,
    counts: { gateway: 2, invoker: 0, scheduler: 0 },
    settings: { "limits.invocation_lease_ms": LEASE_MS, "limits.async_depth_max": 2 * CALLS },
  });
  const { api } = cluster;
  const retry = { max_attempts: 4, backoff_ms: 100, backoff_max_ms: 1000 };
  const files = {
    "function.js": `export default ({ n }) => { if (n % ${FAILING} === 0) throw new Error("it always does"); return n; };`,
    "manifest.json": manifest({ limits: { maxConcurrency: 50 } }),
  };
  await api.deploy({ name: "work", files, config: { retry } });

  const pages = async function* <T>(path: string): AsyncIterable<T[]> {
    let cursor = "";
    do {
      const page: Page<T> = await api.expect(200, "GET", `${TENANT}/${path}&limit=${PAGE}${cursor}`);
      yield page.items;
      cursor = page.next_cursor === null ? "" : `&cursor=${page.next_cursor}`;
    } while (cursor !== "");
  };

  /** @returns the ids of as many calls, by their number */
  async function send(from: number, to: number): Promise<Map<string, number>> {
    const sent = new Map<string, number>();
    using _progress = reportProgress(() => `${from + sent.size} of ${CALLS} sent`);
    let next = from;
    const sender = async (): Promise<void> => {
      while (next < to) {
        const n = next++;
        const answer = await api.enqueue("work", { n });
        const { activation_id: id } = (await answer.json()) as { activation_id: string };
        assert.equal(answer.status, 202);
        sent.set(id, n);
      }
    };
    await Promise.all(Array.from({ length: SENDERS }, sender));
    return sent;
  }

  async function drained(patienceMs: number): Promise<void> {
    await until(
      async () => {
        const waiting = await Promise.all(
          ["queued", "running"].map((status) =>
            api.expect<Page<Listed>>(200, "GET", `${TENANT}/activations?status=${status}&limit=1`),
          ),
        );
        return waiting.every(({ items, next_cursor: next }) => items.length === 0 && next === null);
      },
      "everything to end",
      patienceMs,
    );
  }

  /** Queues some calls while there is no invoker, and lets two run them. @returns their ids, and how many ended a second */
  async function run(from: number, to: number): Promise<{ ids: Map<string, number>; perSecond: number }> {
    const before = cluster.processes.invoker.splice(0);
    await Promise.all(before.map((server) => server[Symbol.asyncDispose]()));
    const ids = await send(from, to);
    await Promise.all([cluster.start("invoker"), cluster.start("invoker")]);
    const begun = performance.now();
    using _progress = reportProgress(() => `${to - from} calls run, ${killed} invokers killed`);
    await drained(60_000 + (to - from) * 20);
    return { ids, perSecond: (to - from) / ((performance.now() - begun) / 1000) };
  }

  let killed = 0;
  const calm = await run(0, Math.ceil(CALLS / 10));
  let killing = true;
  const kills = killInvokers(
    cluster,
    random,
    () => killing,
    () => killed++,
  );
  // What is seen as ended now has to be found the same afterwards.
  const early = new Map<string, Listed>();
  const watch = (async () => {
    while (killing) {
      const ended = await api.expect<Page<Listed>>(
        200,
        "GET",
        `${TENANT}/activations?status=success&limit=20`,
      );
      for (const record of ended.items) early.set(record.activation_id, record);
      await sleep(500);
    }
  })();
  const rough = await run(Math.ceil(CALLS / 10), CALLS).finally(() => (killing = false));
  await kills;
  await watch;

  const calls = new Map([...calm.ids, ...rough.ids]);
  assert.equal(calls.size, CALLS);
  const records = new Map<string, Listed>();
  for await (const items of pages<Listed>("activations?"))
    for (const record of items) records.set(record.activation_id, record);
  const dead = new Set<string>();
  for await (const items of pages<{ activation_id: string }>("namespaces/default/dlq?"))
    for (const { activation_id: id } of items) dead.add(id);

  const problems: string[] = [];
  for (const [id, n] of calls) {
    const record = records.get(id);
    const fails = n % FAILING === 0;
    if (record === undefined || !isTerminal(record)) problems.push(`${id} never ended: ${record?.status}`);
    else if (record.status !== (fails ? "error" : "success") || dead.has(id) !== fails)
      problems.push(
        `${id} (${n}), ${dead.has(id) ? "" : "not "}among the dead letters: ${JSON.stringify(record)}`,
      );
  }
  for (const [id, record] of early)
    if (JSON.stringify(records.get(id)) !== JSON.stringify(record)) problems.push(`${id} ended twice`);
  assert.deepEqual(problems.slice(0, 10), []);
  assert.equal(records.size, CALLS);
  assert.ok(killed > 0);
  const again = [...records.values()].filter(
    ({ status, attempt }) => status === "success" && attempt > 1,
  ).length;
  context.diagnostic(
    `${killed} kills, ${dead.size} dead letters, ${again} ran again; ${Math.round(calm.perSecond)} of the backlog ended a second without kills, ${Math.round(rough.perSecond)} with them`,
  );
});

async function killInvokers(
  cluster: Cluster,
  random: () => number,
  goOn: () => boolean,
  onKill: () => void,
): Promise<void> {
  for (let nextMs = Date.now() + KILL_EVERY_MS; goOn(); await sleep(50)) {
    if (Date.now() < nextMs) continue;
    nextMs += KILL_EVERY_MS;
    const { invoker } = cluster.processes;
    // Not while the next calls are queued.
    if (invoker.length < 2) continue;
    const [victim] = invoker.splice(Math.floor(random() * invoker.length), 1);
    await victim?.kill();
    onKill();
    await cluster.start("invoker");
  }
}

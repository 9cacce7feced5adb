import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createSqliteStore } from "@sous/store";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { scratchFolder, seeded } from "../support/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";

const KILLS = 10;
const SEED = 0x50551;
const SENDERS = 6;
const TENANT = "t_default";

/** Notes when it ran last, sometimes fails at first, sometimes takes its time. */
const WORK = `export default async ({ n, waitMs, failUntil }, ctx) => {
  await cs.kv.set("last/" + ctx.activation_id, Date.now());
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  if (ctx.attempt < failUntil) throw new Error("not yet");
  return { n };
};`;

type Ended = Record<string, unknown> & { status: string };

/** What the outside world knows: what was acknowledged, and what was seen to have ended. */
interface Knowledge {
  /** The number each acknowledged activation has to answer. */
  acknowledged: Map<string, number>;
  ended: Map<string, Ended>;
  sent: number;
}

const isEnded = ({ status }: { status: string }): boolean => status !== "queued" && status !== "running";

/** Sends work until the server is gone. */
async function send(api: Api, known: Knowledge, random: () => number): Promise<void> {
  for (;;) {
    const n = known.sent++;
    const event = { n, waitMs: Math.floor(random() * 40), failUntil: random() < 0.15 ? 2 : 0 };
    let response: Response;
    let body: { activation_id: string };
    try {
      response = await api.enqueue("work", event);
      body = (await response.json()) as { activation_id: string };
    } catch {
      return;
    }
    if (response.status === 202) known.acknowledged.set(body.activation_id, n);
    else assert.equal(response.status, 429, JSON.stringify(body));
    await sleep(5);
  }
}

/** Reads records until the server is gone, and remembers those that say they are final. */
async function watch(api: Api, known: Knowledge, random: () => number): Promise<void> {
  for (;;) {
    const ids = [...known.acknowledged.keys()];
    const id = ids[Math.floor(random() * ids.length)];
    if (id !== undefined) {
      const record = await api.activation(id).catch((error: unknown) => {
        if (error instanceof assert.AssertionError) throw error;
        return undefined;
      });
      if (record === undefined) return;
      remember(known, id, record);
    }
    await sleep(2);
  }
}

function remember(known: Knowledge, id: string, record: Ended): void {
  const before = known.ended.get(id);
  if (before !== undefined) assert.deepEqual(record, before, "what has ended never changes");
  else if (isEnded(record)) known.ended.set(id, record);
}

async function deploy(api: Api): Promise<void> {
  const capabilities = { kv: { prefixes: ["last/"], ops: ["set"] } };
  const files = {
    "function.js": WORK,
    "manifest.json": manifest({ capabilities, limits: { timeoutMs: 10_000 } }),
  };
  const retry = { max_attempts: 20, backoff_ms: 20, backoff_max_ms: 50 };
  await api.deploy({ name: "work", files, config: { retry } });
}

test(`${KILLS} kills at any moment lose nothing that was acknowledged`, async (context) => {
  using data = scratchFolder();
  const random = seeded(SEED);
  const known: Knowledge = { acknowledged: new Map(), ended: new Map(), sent: 0 };
  // Deep enough that much of what was acknowledged still waits at each kill.
  const settings = { data: data.path, "limits.async_depth_max": 1000 };
  const start = (): Promise<TestServer> => startServer({ settings });

  for (let kill = 0; kill < KILLS; kill++) {
    await using server = await start();
    const api = createApi(server.url);
    if (kill === 0) await deploy(api);
    const before = known.acknowledged.size;
    const load = Array.from({ length: SENDERS }, () => send(api, known, random));
    const watcher = watch(api, known, random);
    await until(() => known.acknowledged.size > before, "some work to be taken");
    await sleep(random() * 400);
    await server.kill();
    await Promise.all([...load, watcher]);
  }

  {
    await using server = await start();
    const api = createApi(server.url);
    for (const [id, n] of known.acknowledged) {
      await until(async () => isEnded(await api.activation(id)), `activation ${id} to end`, 20_000);
      const record = await api.activation(id);
      remember(known, id, record);
      assert.equal(record.status, "success", JSON.stringify(record));
      assert.equal((record["result"] as { body: string }).body, JSON.stringify({ n }));
    }
    await until(async () => {
      const metrics = await (await api.call("GET", "/metrics")).text();
      return [...metrics.matchAll(/^cs_codeq_depth\{.*\} (\d+)$/gm)].every(([, depth]) => depth === "0");
    }, "an empty queue");
  }

  await using store = await createSqliteStore({ path: join(data.path, "sous.db") });
  assert.deepEqual(await store.journal.load(), [], "nothing waits on disk");
  assert.deepEqual(await store.activations.unfinished(10), [], "nothing is left open");
  const scope = { tenant: TENANT, namespace: "default" };
  for (const [id, record] of known.ended) {
    const last = Number(await store.kv.get(scope, `last/${id}`, Date.now()));
    assert.ok(last <= Number(record["end_ms"]), `${id} ran again after its end`);
    assert.deepEqual(await store.activations.get(TENANT, id), record);
  }
  const retried = [...known.ended.values()].filter(({ attempt }) => Number(attempt) > 1).length;
  assert.ok(known.acknowledged.size > KILLS * 5 && retried > 0, "the load was one");
  context.diagnostic(`${known.acknowledged.size} acknowledged of ${known.sent} sent, ${retried} tried again`);
});

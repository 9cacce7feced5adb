import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createRedisStore } from "@sous/store/redis";
import { missingRedis, type RedisServer, startProxy, startRedis, type TcpProxy } from "@sous/store/testing";
import { createApi, manifest, until } from "../support/api.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import {
  type AcknowledgedCall,
  type AliasStep,
  checkHistory,
  isTerminal,
  type NotedRun,
  type SeenRecord,
} from "../support/history.ts";
import { createNemesis } from "../support/nemesis.ts";
import { reportProgress } from "../support/progress.ts";
import { seeded, skipUnlessRequired } from "../support/scratch.ts";
import type { TestServer } from "../support/server.ts";

/** How much of it: a short one with every test run, a long one by `npm run soak`. */
const CALLS = Number(process.env["SOUS_SOAK_CALLS"] ?? 600);
const SEED = Number(process.env["SOUS_SOAK_SEED"] ?? 0x50551);
/** Callers at a time: more where more is to be sent. */
const SENDERS = CALLS > 10_000 ? 24 : 6;
/** What a caller waits on average before it calls again: a short run has calls as long as something breaks. */
const SEND_PAUSE_MS = CALLS > 10_000 ? 0 : 800;
const READERS = 3;
/** So often nothing breaks for a while after a strike, in which more calls wait in the queue than `IN_HAND_MAX`. */
const QUIET_EACH = 3;
const BURST = { calls: 80, senders: 4, waitMs: 500 };
const QUIET_MAX_MS = 15_000;
const MOVE_PAUSE_MS = 1000;
const LEASE_MS = 2000;
const ATTEMPTS_MAX = 20;
/** A process asks again for an alias a second after it has last seen it; the rest is a busy machine's. */
const STALE_MS = 1500;
/** Of one version in one invoker. */
const CONCURRENCY = CALLS > 10_000 ? 10 : 4;
/** Two invokers with what they have claimed of as many versions as the alias may have stood at within a burst. */
const IN_HAND_MAX = 2 * 3 * CONCURRENCY;
const POISONED = 0.05;
const TENANT = "t_default";
const NAME = "work";
/** What callers name, and what a new version is published under. */
const ALIAS = "prod";
const NEXT = "next";
const SCHEDULES = `/v1/tenants/${TENANT}/namespaces/default/schedules`;
const DLQ = `/v1/tenants/${TENANT}/namespaces/default/dlq`;

/** Notes each of its runs; sometimes fails at first, sometimes always, sometimes takes its time. */
const WORK = `export default async ({ n, waitMs, failUntil, poisoned }, ctx) => {
  const noted = { atMs: Date.now(), version: ctx.version };
  await cs.kv.set("run/" + ctx.activation_id + "/" + ctx.attempt, JSON.stringify(noted));
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  if (poisoned || ctx.attempt < failUntil) throw new Error("not this time");
  return { n };
};`;

const missing = missingRedis();

test("a cluster whose parts are killed, stopped and cut off", (context) => {
  if (missing !== undefined) skipUnlessRequired(context, missing);
});

if (missing === undefined) describeCluster();

function describeCluster(): void {
  describe(`a cluster whose parts are killed, stopped and cut off, seed ${SEED}`, () => {
    const random = seeded(SEED);
    const calls = new Map<string, AcknowledgedCall>();
    const records = new Map<string, SeenRecord[]>();
    const aliasSteps: AliasStep[] = [];
    let engine: RedisServer;
    let proxy: TcpProxy;
    let cluster: Cluster;
    let asked = 0;
    let sent = 0;
    let striking = true;

    before(async () => {
      engine = await startRedis({ durable: true });
      proxy = await startProxy(engine.port);
      const url = `redis://127.0.0.1:${proxy.port}`;
      const settings = { "limits.invocation_lease_ms": LEASE_MS, "limits.async_depth_max": 100_000 };
      cluster = await startCluster({ store: url, codeq: url, settings });
      await deploy();
    });
    after(async () => {
      await cluster[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
      await engine[Symbol.asyncDispose]();
    });

    /** Asks whoever serves now, the gateways by turns: parts of the cluster are replaced all the time. */
    const api = () => {
      const { control, gateway } = cluster.processes;
      const urlOf = (server: TestServer | undefined): string => server?.url ?? "http://127.0.0.1:9";
      return createApi(urlOf(control[0]), undefined, [urlOf(gateway[asked++ % gateway.length])]);
    };

    const source = (n: number) => ({
      name: NAME,
      files: {
        "function.js": `${WORK}\n// ${n}`,
        "manifest.json": manifest({
          capabilities: { kv: { prefixes: ["run/"], ops: ["set"] } },
          limits: { timeoutMs: 10_000, maxConcurrency: CONCURRENCY },
        }),
      },
      config: {
        retry: { max_attempts: ATTEMPTS_MAX, backoff_ms: 20, backoff_max_ms: 200, max_age_ms: 3_600_000 },
        authz: { invoke_http_roles: ["admin"], invoke_schedule_roles: ["role:worker"] },
      },
    });

    async function deploy(): Promise<void> {
      const askedMs = Date.now();
      const { version } = await api().deploy({ ...source(0), alias: ALIAS });
      aliasSteps.push({ kind: "move", version, askedMs, answeredMs: Date.now() });
      await api().expect(201, "POST", SCHEDULES, {
        name: "each-second",
        every_seconds: 1,
        overlap_policy: "parallel",
        ref: { function: NAME, alias: ALIAS },
        payload: { n: -1 },
      });
    }

    /** Moves the alias to a version that it never stood at, once it is known where it stands. @throws when refused */
    async function moveAlias(): Promise<void> {
      const { version } = await api().publish({ ...source(aliasSteps.length), alias: NEXT });
      // A move that nobody answered may have been made all the same, or later.
      await readAlias();
      const step: AliasStep = { kind: "move", version, askedMs: Date.now(), answeredMs: Infinity };
      aliasSteps.push(step);
      await api().expect(200, "PUT", `${api().scope()}/${NAME}/aliases/${ALIAS}`, { version });
      step.answeredMs = Date.now();
    }

    async function readAlias(): Promise<void> {
      const askedMs = Date.now();
      const path = `${api().scope()}/${NAME}/aliases`;
      const { aliases } = await api().expect<{ aliases: { alias: string; version: number }[] }>(
        200,
        "GET",
        path,
      );
      const version = aliases.find(({ alias }) => alias === ALIAS)?.version;
      assert.ok(version !== undefined, JSON.stringify(aliases));
      aliasSteps.push({ kind: "read", version, askedMs, answeredMs: Date.now() });
    }

    async function send(): Promise<void> {
      while (sent < CALLS || striking) {
        const poisoned = random() < POISONED;
        const waitMs = random() < 0.3 ? Math.floor(random() * 60) : 0;
        const taken = await enqueue({ waitMs, failUntil: random() < 0.1 ? 2 : 0, poisoned });
        // Nobody serves, or the engine is away: as a client would.
        await sleep(taken === undefined ? 50 : 2 * SEND_PAUSE_MS * random());
      }
    }

    /** @returns the activation, when it was taken */
    async function enqueue(event: {
      waitMs: number;
      failUntil: number;
      poisoned: boolean;
    }): Promise<string | undefined> {
      const n = sent++;
      const sentMs = Date.now();
      const answer = await api()
        .enqueue(NAME, { n, ...event })
        .then(async (response) => ({ status: response.status, body: (await response.json()) as object }))
        .catch(() => undefined);
      if (answer?.status !== 202) return undefined;
      const { activation_id: id } = answer.body as { activation_id: string };
      calls.set(id, { n, poisoned: event.poisoned, sentMs, ackedMs: Date.now() });
      return id;
    }

    /** Waits until the last strike is felt no more, then sends more at a time than may run, and waits until it has. */
    async function quiet(): Promise<void> {
      await sleep(LEASE_MS);
      const ids: (string | undefined)[] = [];
      const sender = async (): Promise<void> => {
        while (ids.length < BURST.calls)
          ids.push(await enqueue({ waitMs: BURST.waitMs, failUntil: 0, poisoned: false }));
      };
      await Promise.all(Array.from({ length: BURST.senders }, sender));
      const last = ids.findLast((id) => id !== undefined);
      assert.ok(last !== undefined, "while nothing is broken calls are taken");
      // In a long run there is a backlog before it.
      const hasEnded = async (): Promise<boolean> => isTerminal((await read(last)) ?? { status: "queued" });
      await until(hasEnded, "the burst to end", QUIET_MAX_MS).catch(() => {});
    }

    /** Reads a record, and keeps it where it differs from what was seen before. */
    async function read(id: string): Promise<SeenRecord | undefined> {
      const path = `/v1/tenants/${TENANT}/activations/${id}`;
      const response = await api()
        .call("GET", path)
        .catch(() => undefined);
      if (response?.status !== 200) {
        await response?.arrayBuffer();
        return undefined;
      }
      const record = (await response.json()) as SeenRecord;
      const seen = records.get(id) ?? [];
      if (JSON.stringify(seen.at(-1)) !== JSON.stringify(record)) seen.push(record);
      records.set(id, seen);
      return record;
    }

    async function readAll(ids: readonly string[]): Promise<void> {
      let next = 0;
      const reader = async (): Promise<void> => {
        while (next < ids.length) {
          const id = ids[next++] as string;
          let last: SeenRecord | undefined;
          await until(
            async () => isTerminal((last = await read(id)) ?? { status: "queued" }),
            `${id} to end`,
            60_000,
          ).catch((error: unknown) => assert.fail(`${String(error)}; its record: ${JSON.stringify(last)}`));
        }
      };
      await Promise.all(Array.from({ length: 8 }, reader));
    }

    test(`${CALLS} calls while one part after another fails: all end, once, and nothing runs that should not`, async (context) => {
      let loading = true;
      const load = Promise.all(Array.from({ length: SENDERS }, send)).finally(() => (loading = false));
      const watch = async (): Promise<void> => {
        while (loading) {
          const ids = [...calls.keys()];
          const id = ids[Math.floor(random() * ids.length)];
          if (id !== undefined) await read(id);
          await sleep(20);
        }
      };
      const readers = Array.from({ length: READERS }, watch);
      const mover = (async () => {
        // As long as something is broken, also when all calls are sent.
        while (loading || striking) {
          await sleep(MOVE_PAUSE_MS);
          await moveAlias().catch(() => {});
        }
      })();
      const nemesis = createNemesis({ cluster, proxy, engine, random, leaseMs: LEASE_MS });
      const done: string[] = [];
      using _progress = reportProgress(() => {
        const ended = records.values().filter((seen) => seen.some(isTerminal));
        return `${calls.size} of ${sent} taken, ${[...ended].length} seen to have ended, ${done.length} strikes`;
      });
      // At the least every kind once.
      try {
        while (sent < CALLS || done.length < 10) {
          await sleep(500 + random() * 1000);
          done.push(await nemesis.strike());
          if (done.length % QUIET_EACH === 0) await quiet();
        }
      } finally {
        striking = false;
      }
      await Promise.all([load, mover, ...readers]);
      context.diagnostic(done.join("; "));
      for (const strike of ["killed", "stopped"]) {
        assert.match(done.join("; "), new RegExp(`${strike} the leading scheduler`));
      }
      await readAll([...calls.keys()]);
      const { problems, versionsJudged, orderJudged } = checkHistory(
        { calls, records, runs: await runs(), aliasSteps, dead: await dead(), troubles: nemesis.troubles },
        { attemptsMax: ATTEMPTS_MAX, staleMs: STALE_MS, inHandMax: IN_HAND_MAX },
      );
      assert.deepEqual(problems.slice(0, 10), []);
      const moves = aliasSteps.filter(({ kind }) => kind === "move").length;
      assert.ok(moves > 3, `the alias moved ${moves} times`);
      assert.ok(versionsJudged > 0, "of some calls it was known which version they may not run");
      assert.ok(orderJudged > 0, "some calls began when, while nothing was broken, a wrong one could have");
      assert.ok(calls.size > CALLS / 3, `${calls.size} of ${sent} were taken`);
      const again = [...records.values()].filter((seen) => (seen.at(-1)?.attempt ?? 0) > 1).length;
      context.diagnostic(
        `${calls.size} of ${sent} acknowledged, ${again} took more than one attempt; the alias moved ${moves} times; judged by version ${versionsJudged}, by order ${orderJudged}`,
      );
    });

    test("the schedule that ran meanwhile had no tick twice and left none out beyond the cap", async () => {
      // A process may still be on its way back to the engine.
      await until(
        async () =>
          (await api().call("PATCH", `${SCHEDULES}/each-second`, { enabled: false })).status === 200,
        "the schedule to be switched off",
      );
      const ticks = new Map<number, string[]>();
      let cursor = "";
      do {
        const path = `/v1/tenants/${TENANT}/activations?trigger=schedule&limit=500${cursor}`;
        const page = await api().expect<{
          items: { activation_id: string; trigger: { source: { tick_seq: number } } }[];
          next_cursor: string | null;
        }>(200, "GET", path);
        for (const { activation_id: id, trigger } of page.items) {
          ticks.set(trigger.source.tick_seq, [...(ticks.get(trigger.source.tick_seq) ?? []), id]);
        }
        cursor = page.next_cursor === null ? "" : `&cursor=${page.next_cursor}`;
      } while (cursor !== "");
      const twice = [...ticks].filter(([, ids]) => ids.length > 1);
      assert.deepEqual(twice, []);
      const numbers = [...ticks.keys()].toSorted((a, b) => a - b);
      assert.ok(numbers.length > 5, `${numbers.length} ticks`);
      assert.deepEqual(
        numbers,
        Array.from({ length: numbers.length }, (_, at) => (numbers[0] ?? 0) + at),
      );
    });

    /** Every run the handlers noted, read past the platform. */
    async function runs(): Promise<Map<string, NotedRun[]>> {
      await using store = await createRedisStore({ url: engine.url });
      const scope = { tenant: TENANT, namespace: "default" };
      const noted = new Map<string, NotedRun[]>();
      const left = calls.keys();
      const reader = async (): Promise<void> => {
        for (const id of left) {
          const of: NotedRun[] = [];
          const last = records.get(id)?.at(-1)?.attempt ?? 0;
          // One more than its record says, to see a run that came after.
          for (let attempt = 1; attempt <= last + 1; attempt++) {
            const text = await store.kv.get(scope, `run/${id}/${attempt}`, Date.now());
            if (text === undefined) continue;
            const value: unknown = JSON.parse(text);
            of.push({ attempt, ...(JSON.parse(String(value)) as Omit<NotedRun, "attempt">) });
          }
          noted.set(id, of);
        }
      };
      await Promise.all(Array.from({ length: 16 }, reader));
      return noted;
    }

    async function dead(): Promise<Set<string>> {
      const ids = new Set<string>();
      let cursor = "";
      do {
        const page = await api().expect<{ items: { activation_id: string }[]; next_cursor: string | null }>(
          200,
          "GET",
          `${DLQ}?limit=500${cursor}`,
        );
        for (const { activation_id: id } of page.items) ids.add(id);
        cursor = page.next_cursor === null ? "" : `&cursor=${page.next_cursor}`;
      } while (cursor !== "");
      return ids;
    }
  });
}

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  missingRedis,
  type Partition,
  type RedisServer,
  startProxy,
  startRedis,
  type TcpProxy,
} from "@sous/store/testing";
import { createApi, manifest, until } from "../support/api.ts";
import { type Cluster, type RoleName, startCluster } from "../support/cluster.ts";
import {
  type AcknowledgedCall,
  checkHistory,
  isTerminal,
  type NotedRun,
  type SeenRecord,
} from "../support/history.ts";
import { noteRun, notesAllowed, type RunNotes, startRunNotes } from "../support/run-notes.ts";
import { skipUnlessRequired } from "../support/scratch.ts";
import type { TestServer } from "../support/server.ts";
import { startWebhookReceiver, type WebhookReceiver } from "../support/webhook-receiver.ts";

const LEASE_MS = 2000;
/** Long enough for leases to end and for links to give up; what waits arrives late. */
const PARTITION_MS = 4000;
const CALLS = 8;
const ATTEMPTS_MAX = 20;
/** What a caller waits at the very most before it is refused. */
const PATIENCE_MS = 10_000;
const SECRET = `whsec_${Buffer.alloc(32, 6).toString("base64")}`;
const DIRECTIONS: readonly Partition[] = ["requests", "answers", "both"];

type Link = "store" | "queue";

/** What an invoker loses, and in which direction. */
const PARTITIONS: readonly { links: readonly Link[]; directions: readonly Partition[] }[] = [
  { links: ["store"], directions: DIRECTIONS },
  { links: ["queue"], directions: DIRECTIONS },
  { links: ["store", "queue"], directions: ["both"] },
];
const missing = missingRedis();

/** A process that reaches each engine on a way of its own. */
interface Apart extends Record<Link, TcpProxy> {
  server: TestServer;
}

test("a network partition between roles", (context) => {
  if (missing !== undefined) skipUnlessRequired(context, missing);
});

if (missing === undefined) {
  describe("a network partition between roles", () => {
    const stack = new AsyncDisposableStack();
    const calls = new Map<string, AcknowledgedCall>();
    const records = new Map<string, SeenRecord[]>();
    let engines: Record<Link, RedisServer>;
    let cluster: Cluster;
    let notes: RunNotes;
    let receiver: WebhookReceiver;
    const apart = new Map<RoleName, Apart>();

    before(async () => {
      engines = {
        store: stack.use(await startRedis({ durable: true })),
        queue: stack.use(await startRedis({ durable: true })),
      };
      notes = stack.use(await startRunNotes());
      receiver = stack.use(await startWebhookReceiver(SECRET));
      cluster = stack.use(
        await startCluster({
          store: engines.store.url,
          codeq: engines.queue.url,
          counts: { gateway: 1, invoker: 1, scheduler: 0 },
          settings: { "limits.invocation_lease_ms": LEASE_MS, "egress.private_allow": ["127.0.0.1/32"] },
        }),
      );
      for (const role of ["invoker", "gateway", "control"] as const) apart.set(role, await startApart(role));
      await deploy();
    });
    after(() => stack.disposeAsync());

    async function startApart(role: RoleName): Promise<Apart> {
      const [store, queue] = [
        stack.use(await startProxy(engines.store.port)),
        stack.use(await startProxy(engines.queue.port)),
      ];
      const url = (proxy: TcpProxy): string => `redis://127.0.0.1:${proxy.port}`;
      return { server: await cluster.start(role, { store: url(store), codeq: url(queue) }), store, queue };
    }

    const partOf = (role: RoleName): Apart => {
      const part = apart.get(role);
      assert.ok(part);
      return part;
    };

    async function deploy(): Promise<void> {
      const { api } = cluster;
      const code = `export default async ({ n, waitMs }, ctx) => {
        ${noteRun(notes)}
        await new Promise((resolve) => setTimeout(resolve, waitMs));
        return { n };
      };`;
      const files = {
        "function.js": code,
        "manifest.json": manifest({
          capabilities: notesAllowed(notes),
          limits: { timeoutMs: 10_000, maxConcurrency: 20 },
        }),
      };
      await api.expect(200, "PUT", "/v1/tenants/t_default/namespaces/default/secrets/hook", {
        value: SECRET,
      });
      const webhook = { url: `${receiver.url}/end`, secret: "hook" };
      const retry = { max_attempts: ATTEMPTS_MAX, backoff_ms: 20, backoff_max_ms: 200 };
      await api.deploy({
        name: "noted",
        files,
        config: { retry, on_success: { webhook }, on_failure: { webhook } },
      });
    }

    /** Work of which some runs on either side when the network parts. */
    async function enqueue(): Promise<void> {
      const sentMs = Date.now();
      const n = calls.size;
      const answer = await cluster.api.enqueue("noted", { n, waitMs: 200 + (n % CALLS) * 150 });
      const { activation_id: id } = (await answer.json()) as { activation_id: string };
      if (answer.status === 202) calls.set(id, { n, poisoned: false, sentMs });
    }

    /** Reads what is there of each call, and keeps what differs from what was seen. @returns whether all have ended */
    async function look(): Promise<boolean> {
      let ended = true;
      for (const id of calls.keys()) {
        const record = (await cluster.api.activation(id)) as unknown as SeenRecord;
        const seen = records.get(id) ?? [];
        if (JSON.stringify(seen.at(-1)) !== JSON.stringify(record)) records.set(id, [...seen, record]);
        ended &&= isTerminal(record);
      }
      return ended;
    }

    const toldOf = (id: string) => receiver.received.filter((each) => each.id === `dst_${id}`);
    const runs = (): Map<string, readonly NotedRun[]> => new Map(notes.runs);

    async function partedFor(part: Apart, links: readonly Link[], direction: Partition): Promise<void> {
      for (const link of links) part[link].partition(direction);
      await sleep(PARTITION_MS);
      for (const link of links) part[link].partition(undefined);
    }

    async function ready(server: TestServer): Promise<void> {
      await until(
        async () => (await fetch(`${server.url}/readyz`)).status === 200,
        "it to be ready again",
        30_000,
      );
    }

    for (const { links, directions } of PARTITIONS) {
      for (const direction of directions) {
        test(`an invoker whose ${direction} to and from the ${links.join(" and ")} are lost: one end each, which stays and is told as it is`, async () => {
          const part = partOf("invoker");
          const before = calls.size;
          for (let n = 0; n < CALLS; n++) await enqueue();
          assert.equal(calls.size, before + CALLS);
          const ids = [...calls.keys()].slice(before);
          await until(() => ids.some((id) => notes.runs.has(id)), "some of it to run");
          const parted = partedFor(part, links, direction);
          await until(look, "all of it to end", 60_000);
          await parted;
          await ready(part.server);
          await until(() => ids.every((id) => toldOf(id).length > 0), "all ends to be told", 60_000);
          // What waited in the network has arrived by then.
          await enqueue();
          await until(look, "more work", 60_000);
          await look();
          const { problems } = checkHistory(
            {
              calls,
              records,
              runs: runs(),
              aliasSteps: [{ kind: "move", version: 1, askedMs: 0, answeredMs: 0 }],
              dead: new Set(),
            },
            { attemptsMax: ATTEMPTS_MAX, staleMs: 0 },
          );
          assert.deepEqual(problems.slice(0, 10), []);
          for (const id of ids) {
            const { attempt } = records.get(id)?.at(-1) ?? {};
            const told = toldOf(id).map(({ event }) => event["requestContext"]?.["approximateInvokeCount"]);
            assert.deepEqual(new Set(told), new Set([attempt]), `${id} was told as attempts ${told.join()}`);
          }
        });
      }
    }

    test("a gateway that loses the store serves what it knows; one that loses the queue refuses, and goes on", async () => {
      const { server, store, queue } = partOf("gateway");
      const api = createApi(cluster.api.url, undefined, [server.url]);
      const invoke = async (): Promise<{ status: number; tookMs: number }> => {
        const begun = performance.now();
        const event = { ref: { alias: "prod" }, mode: "sync", event: { n: 1, waitMs: 0 } };
        const response = await api.call("POST", `${api.scope()}/noted:invoke`, event);
        await response.arrayBuffer();
        return { status: response.status, tookMs: performance.now() - begun };
      };
      assert.equal((await invoke()).status, 200);
      for (const direction of DIRECTIONS) {
        store.partition(direction);
        const served = [await invoke(), await invoke()];
        await sleep(1500);
        served.push(await invoke());
        store.partition(undefined);
        assert.deepEqual(
          served.map(({ status }) => status),
          [200, 200, 200],
          direction,
        );
        await ready(server);
        queue.partition(direction);
        const refused = await invoke();
        queue.partition(undefined);
        assert.ok(refused.status === 503 || refused.status === 504, `${direction}: ${refused.status}`);
        assert.ok(refused.tookMs < 10_000 + PATIENCE_MS, `${direction}: ${refused.tookMs} ms`);
        await ready(server);
        await until(async () => (await invoke()).status === 200, `calls after ${direction}`, 30_000);
      }
    });

    test("a control plane that loses the store is not ready and refuses changes, and goes on", async () => {
      const { server, store } = partOf("control");
      const api = createApi(server.url);
      for (const direction of DIRECTIONS) {
        store.partition(direction);
        await until(
          async () => (await fetch(`${server.url}/readyz`)).status === 503,
          "it is not ready",
          30_000,
        );
        const begun = performance.now();
        const refused = await api.call("PUT", `${api.scope()}/noted/aliases/prod`, { version: 1 });
        assert.equal(refused.status, 503, `${direction}: ${await refused.text()}`);
        assert.ok(performance.now() - begun < PATIENCE_MS);
        store.partition(undefined);
        await ready(server);
        await api.expect(200, "PUT", `${api.scope()}/noted/aliases/prod`, { version: 1 });
      }
    });
  });
}

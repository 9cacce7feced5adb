import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  missingPostgres,
  missingRedis,
  type RedisServer,
  startPostgres,
  startRedis,
} from "@sous/store/testing";
import { manifest, until } from "../support/api.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { createEventApi, type EventApi } from "../support/event-api.ts";
import { skipUnlessRequired } from "../support/scratch.ts";

const missing = missingRedis() ?? missingPostgres();
const PUBLISHER = {
  "manifest.json": manifest({ capabilities: { codeq: { publishTopics: ["*"] } } }),
  "function.js": `export default async ({ topic, messages }) => {
    for (const message of messages) await cs.codeq.publish(topic, message);
  };`,
};

test("event sources on Redis and PostgreSQL", (context) => {
  if (missing !== undefined) skipUnlessRequired(context, missing);
});

if (missing === undefined) {
  describe("event sources as processes of their own, on Redis and PostgreSQL", () => {
    let redis: RedisServer;
    let postgres: Awaited<ReturnType<typeof startPostgres>>;
    let cluster: Cluster;
    let events: EventApi;
    before(async () => {
      redis = await startRedis();
      postgres = await startPostgres();
      cluster = await startCluster({
        store: postgres.database().url,
        codeq: redis.url,
        counts: { gateway: 1, invoker: 1, scheduler: 0, "event-sources": 2 },
      });
      events = createEventApi(cluster.api);
      await events.deploySeen("seen");
      await cluster.api.deploy({ name: "publisher", files: PUBLISHER });
    });
    after(async () => {
      await cluster[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
      await postgres[Symbol.asyncDispose]();
    });

    const publish = async (topic: string, messages: unknown[]): Promise<void> => {
      const { status } = await cluster.api.invoke("publisher", { topic, messages });
      assert.equal(status, "success");
    };

    test("a topic reaches its source, and the poller's word reaches the control plane", async () => {
      const ref = { function: "seen", alias: "prod" };
      await events.create({ name: "orders", type: "codeq", codeq: { topic: "orders" }, ref });
      await publish("orders", [{ n: 1 }, { n: 2 }, { n: 3 }]);
      const seen = await events.seen("orders", 3);
      assert.deepEqual(seen.map(({ body }) => body.n).toSorted(), [1, 2, 3]);
      await until(async () => (await events.status("orders")).succeeded === 3, "its status is written down");
    });

    test("a webhook is taken by the processes of the role, and by no other", async () => {
      await events.create({ name: "hook", type: "webhook", ref: { function: "seen", alias: "prod" } });
      const post = async (url = ""): Promise<number> =>
        (await fetch(`${url}/v1/events/t_default/default/hook`, { method: "POST", body: '{"n":9}' })).status;
      for (const { url } of cluster.processes["event-sources"]) assert.equal(await post(url), 202);
      for (const url of cluster.gatewayUrls) assert.equal(await post(url), 404);
      assert.equal((await events.seen("hook", 2)).length, 2);
    });

    test("when the process that reads a source is killed another goes on, and nothing is lost or out of order", async () => {
      const ref = { function: "seen", alias: "prod" };
      const ordered = { batch_size: 5, ordering_key: "topic" };
      await events.create({ name: "line", type: "codeq", codeq: { topic: "line" }, ref, ...ordered });
      await publish("line", [{ n: 0 }]);
      await events.seen("line", 1);
      const more = publish(
        "line",
        Array.from({ length: 60 }, (_, at) => ({ n: at + 1, waitMs: 5 })),
      );
      const [first] = cluster.processes["event-sources"];
      await events.seen("line", 10);
      await first?.kill();
      await more;
      const seen = await events.seen("line", 61, 60_000);
      assert.deepEqual(
        seen.map(({ body }) => body.n),
        Array.from({ length: 61 }, (_, at) => at),
      );
    });
  });
}

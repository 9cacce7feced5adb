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
import type { TestServer } from "../support/server.ts";

const missing = missingRedis() ?? missingPostgres();
const PUBLISHER = {
  "manifest.json": manifest({
    limits: { timeoutMs: 20_000 },
    capabilities: { codeq: { publishTopics: ["*"] } },
  }),
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
        settings: { event_source_refresh_seconds: 1 },
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

    test("when the process that reads a source is killed another goes on, and nothing is lost or out of order", async () => {
      const ref = { function: "seen", alias: "prod" };
      const ordered = { batch_size: 5, ordering_key: "topic" };
      await events.create({ name: "line", type: "codeq", codeq: { topic: "line" }, ref, ...ordered });
      await publish("line", [{ n: 0 }]);
      await events.seen("line", 1);
      // The second to be killed has both parts of the way: from the topic, and to the function.
      for (const begun of [0, 60]) {
        const numbers = Array.from({ length: 60 }, (_, at) => begun + at + 1);
        const more = publish(
          "line",
          numbers.map((n) => ({ n, waitMs: 100 })),
        );
        await events.seen("line", begun + 10);
        const reader = await readerOf("line");
        await reader.kill();
        await more;
        const seen = await events.seen("line", begun + 61, 90_000);
        assert.deepEqual(
          seen.map(({ body }) => body.n),
          Array.from({ length: begun + 61 }, (_, at) => at),
        );
        if (begun === 0) await cluster.start("event-sources", {});
      }
    });

    /** Takes the process that reads a source out of the cluster. */
    async function readerOf(source: string): Promise<TestServer> {
      const reads = new RegExp(`^cs_event_source_in_flight\\{.*source="${source}"\\} [1-9]`, "m");
      let reader: TestServer | undefined;
      await until(async () => {
        for (const server of cluster.processes["event-sources"]) {
          if (reads.test(await (await fetch(`${server.url}/metrics`)).text())) reader = server;
        }
        return reader !== undefined;
      }, `the process that reads ${source}`);
      const others = cluster.processes["event-sources"].filter((server) => server !== reader);
      cluster.processes["event-sources"] = others;
      return reader as TestServer;
    }
  });
}

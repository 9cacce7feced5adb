import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { missingRedis, type RedisServer, startRedis } from "@sous/store/testing";
import { createApi, manifest, until } from "../support/api.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { skipUnlessRequired } from "../support/scratch.ts";

const HELLO = { "manifest.json": manifest(), "function.js": "export default () => 1;" };
const HEARTBEAT_MS = 200;
/** A second, of a tenant; as many at once. */
const RATE = 20;
const OFTEN = 100_000;
const missing = missingRedis();

if (missing !== undefined) {
  test("rate limits of a cluster", (context) => skipUnlessRequired(context, missing));
} else {
  describe("rate limits of a cluster", () => {
    let redis: RedisServer;
    let cluster: Cluster;

    before(async () => {
      redis = await startRedis();
      cluster = await startCluster({
        store: redis.url,
        codeq: `${redis.url}?prefix=queue:`,
        counts: { gateway: 2, invoker: 1, scheduler: 0 },
        settings: {
          "cluster.heartbeat_ms": HEARTBEAT_MS,
          "rate_limits.enabled": true,
          "rate_limits.tenant_rps": RATE,
          "rate_limits.function_rps": OFTEN,
          "rate_limits.client_rps": OFTEN,
        },
      });
      await cluster.api.deploy({ name: "hello", files: HELLO });
    });
    after(async () => {
      await cluster[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
    });

    const call = async (url: string): Promise<number> => {
      const answer = await createApi(url).call("GET", "/v1/web/t_default/default/hello/prod/");
      await answer.arrayBuffer();
      return answer.status;
    };
    const untilSharers = (urls: readonly string[], count: number): Promise<void> =>
      until(
        async () => {
          const texts = await Promise.all(urls.map(async (url) => (await fetch(`${url}/metrics`)).text()));
          return texts.every((text) => new RegExp(`^cs_rate_limit_sharers ${count}$`, "m").test(text));
        },
        `gateways that share among ${count}`,
        30_000,
      );

    /** Calls each gateway until it has refused so many. @returns how many they let in, and in what time */
    async function flood(urls: readonly string[], refusals: number) {
      const begun = performance.now();
      const admitted = await Promise.all(
        urls.map(async (url) => {
          let passed = 0;
          for (let refused = 0; refused < refusals;) {
            const statuses = await Promise.all(Array.from({ length: 10 }, () => call(url)));
            for (const status of statuses) {
              assert.ok([200, 429].includes(status), `status ${status}`);
              if (status === 200) passed++;
              else refused++;
            }
          }
          return passed;
        }),
      );
      return { admitted, seconds: (performance.now() - begun) / 1000 };
    }

    test("two gateways let in what one would, each its half", async () => {
      await untilSharers(cluster.gatewayUrls, 2);
      const { admitted, seconds } = await flood(cluster.gatewayUrls, 200);
      for (const count of admitted) {
        assert.ok(count >= RATE / 2, `a gateway let in ${count}`);
        assert.ok(count <= 1 + (RATE / 2) * (1 + seconds), `a gateway let in ${count} in ${seconds} s`);
      }
    });

    test("one that is killed gives its half back, one that comes takes its part", async () => {
      const [first, second] = cluster.processes.gateway;
      assert.ok(first !== undefined && second !== undefined);
      await second.kill();
      await untilSharers([first.url], 1);
      // A whole second of nothing fills the bucket, however slow this machine is.
      await new Promise((resolve) => setTimeout(resolve, 1100));
      const alone = await flood([first.url], 1);
      assert.ok((alone.admitted[0] ?? 0) >= RATE, `it let in ${alone.admitted[0]}`);
      const third = await cluster.start("gateway");
      const both = [first.url, third.url];
      await untilSharers(both, 2);
      const { admitted, seconds } = await flood(both, 100);
      for (const count of admitted) {
        assert.ok(count <= 1 + (RATE / 2) * (1 + seconds), `a gateway let in ${count} in ${seconds} s`);
      }
    });
  });
}

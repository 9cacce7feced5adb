import { randomUUID } from "node:crypto";
import { after, before, describe } from "node:test";
import { Redis } from "ioredis";
import { startProxy, type TcpProxy, withRedis } from "@sous/store/testing";
import { createAddressGuard } from "../checked-address.ts";
import { describeAdapterContract } from "../testing/describe-adapter-contract.ts";
import type { Numbered, SourceWorld } from "../testing/source-world.ts";
import { reachableBy } from "../testing/with-moto.ts";
import { createRedisStreamAdapter } from "./redis-stream-adapter.ts";

withRedis({}, (server) => {
  describe("Redis", () => {
    let proxy: TcpProxy;
    before(async () => {
      proxy = await startProxy(server().port);
    });
    after(() => proxy[Symbol.asyncDispose]());
    const open = async () => openStream(server().url, proxy);
    describeAdapterContract("a stream of Redis", open, { ordered: true, remote: true });
  });
});

const guard = createAddressGuard(["127.0.0.0/8"]);

function openStream(url: string, proxy: TcpProxy): SourceWorld {
  const client = new Redis(url);
  const stream = `s-${randomUUID()}`;
  return {
    source: {
      type: "redis_stream",
      redis_stream: { url: `redis://127.0.0.1:${proxy.port}`, stream },
      ordering_key: "body.key",
    },
    open: (context) => createRedisStreamAdapter({ ...context, guard }),
    async put(messages) {
      for (const { n, key } of messages) await client.xadd(stream, "*", "n", n, "key", key);
    },
    read: ({ match }) => (match as { body: Numbered }).body,
    reachable: reachableBy(proxy),
    [Symbol.asyncDispose]: async () => client.disconnect(),
  };
}

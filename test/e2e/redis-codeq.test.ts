import { createRedisCodeQ } from "@sous/codeq/redis";
import { missingRedis, startRedis } from "@sous/store/testing";
import { describeQueueServer } from "../support/queue-server-suite.ts";

describeQueueServer({
  name: "Redis",
  missing: missingRedis(),
  start: () => startRedis({ durable: true }),
  openQueue: (url) => createRedisCodeQ({ url, clock: Date.now }),
  scheme: "redis://",
});

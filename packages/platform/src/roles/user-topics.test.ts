import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryCodeQ } from "@sous/codeq";
import { createMapJournal, createVirtualTime } from "@sous/codeq/contract";
import { userTopic } from "../events/user-topic.ts";
import { createUserTopics } from "./user-topics.ts";

const DAY_MS = 24 * 3600 * 1000;

test("a full topic that nobody reads takes messages again when what fills it is too old", async () => {
  const time = createVirtualTime();
  const journal = createMapJournal();
  await using codeq = await createMemoryCodeQ<unknown, unknown>({
    ...time,
    journal,
    expiredHoldMs: 10 * DAY_MS,
  });
  const publish = createUserTopics(codeq, time.clock);
  const message = {
    tenant: "t_a",
    namespace: "default",
    topic: "x",
    payloadJson: "1",
    depth: 0,
    activationId: "a",
  };
  const send = (count: number) => Promise.all(Array.from({ length: count }, () => publish(message)));
  await send(10_000);
  await assert.rejects(publish(message), { code: "CS_QUEUE_FULL" });
  time.advance(DAY_MS - 1000);
  await assert.rejects(publish(message), { code: "CS_QUEUE_FULL" });
  time.advance(2000);
  await publish(message);
  const [depth] = await codeq.depth(userTopic("t_a", "default", "x"));
  assert.equal(depth?.ready, 10_000 - 100 + 1);
});

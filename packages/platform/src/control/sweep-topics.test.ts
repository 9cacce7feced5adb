import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryCodeQ, type Message } from "@sous/codeq";
import { createVirtualTime } from "@sous/codeq/contract";
import { TOPICS } from "@sous/contract";
import { createTopicSweeper } from "./sweep-topics.ts";

test("what is too old goes from topics of functions and inboxes, and stays where somebody has to hear of it", async () => {
  const time = createVirtualTime();
  await using codeq = await createMemoryCodeQ<string, null>({ ...time, expiredHoldMs: 3_600_000 });
  const publish = async (topic: string, lifeMs: number): Promise<void> => {
    const nowMs = time.clock();
    const sent: Message<string> = {
      id: `${topic} ${lifeMs}`,
      topic,
      tenant: "t_a",
      lane: "default/f",
      body: "",
      attempt: 1,
      enqueued_at_ms: nowMs,
      due_at_ms: 0,
      expires_at_ms: nowMs + lifeMs,
    };
    await codeq.publish(sent, { depthMax: 10, durable: false });
  };
  const topics = ["user/t_a/default/x", "events/t_a/default/uid", TOPICS.invoke];
  for (const topic of topics) {
    await publish(topic, 1000);
    await publish(topic, 100_000);
  }
  time.advance(2000);
  const waiting = async (): Promise<(number | undefined)[]> =>
    await Promise.all(topics.map(async (topic) => (await codeq.depth(topic))[0]?.ready));
  assert.deepEqual(await waiting(), [2, 2, 2]);
  const sweep = createTopicSweeper({ codeq });
  await sweep();
  assert.deepEqual(await waiting(), [1, 1, 2]);
  time.advance(200_000);
  await sweep();
  assert.deepEqual(await waiting(), [undefined, undefined, 2]);
});

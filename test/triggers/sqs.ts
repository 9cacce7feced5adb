import assert from "node:assert/strict";
import { test } from "node:test";
import { CreateQueueCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { until } from "../support/api.ts";
import { startMoto } from "@sous/store/testing";
import type { AwsWorld } from "./aws-world.ts";
import { assertLinked, SEEN_REF as ref } from "./event-world.ts";

/** What is done with the messages of a queue of SQS. */
export function describeSqs(world: () => AwsWorld): void {
  test("a poisoned SQS batch isolates the one bad message, the others are done and gone from the queue", async () => {
    const { api, events, createQueue, sendAll, left } = world();
    const queue_url = await createQueue("poisoned");
    await sendAll(
      queue_url,
      Array.from({ length: 10 }, (_, n) => (n === 6 ? { n, fail: true } : { n })),
    );
    await events.deploySeen("choosy");
    await events.create({
      name: "poisoned-queue",
      type: "sqs",
      ref: { function: "choosy", alias: "prod" },
      sqs: { queue_url, credentials: "aws" },
      retry: { max_attempts: 2, backoff_ms: 10 },
    });
    const seen = await events.seen("poisoned-queue", 9);
    assert.deepEqual(
      seen.map(({ body }) => JSON.parse(body).n).toSorted((a, b) => a - b),
      [0, 1, 2, 3, 4, 5, 7, 8, 9],
    );
    assert.deepEqual(
      new Set(seen.map(({ eventSource, runs }) => `${eventSource} ${runs}`)),
      new Set(["aws:sqs 1"]),
    );
    await until(async () => (await events.status("poisoned-queue")).failed === 1, "the bad one is given up");
    await until(async () => (await left(queue_url)) === 0, "nothing is left in the queue");
    const { items } = await api.expect<{ items: { reason: string }[] }>(
      200,
      "GET",
      "/v1/tenants/t_default/namespaces/default/dlq?function=choosy",
    );
    assert.deepEqual(
      items.map(({ reason }) => /poison \d+/.exec(reason)?.[0]),
      ["poison 6"],
    );
    for (const one of seen.slice(0, 2)) {
      await assertLinked(api, one, { source: "poisoned-queue", type: "sqs", message: String(one.messageId) });
    }
  });

  test("a queue whose function is slow does not stop the others", async () => {
    const { api, events, createQueue, sendAll, left } = world();
    const [slow = "", quick = ""] = await Promise.all(
      ["slow-queue", "quick-queue"].map((name) => createQueue(name)),
    );
    for (let round = 0; round < 6; round++) {
      await sendAll(
        slow,
        Array.from({ length: 10 }, (_, n) => ({ n, waitMs: 4000 })),
      );
    }
    const slowRef = { function: "slow", alias: "prod" };
    const sluggish = { name: "slow-queue", type: "sqs", ref: slowRef, batch_size: 1, parallelism: 10 };
    await events.create({ ...sluggish, sqs: { queue_url: slow, credentials: "aws" } });
    await until(async () => (await events.status("slow-queue")).in_flight > 0, "the slow one is busy");
    await events.create({
      name: "quick-queue",
      type: "sqs",
      ref,
      sqs: { queue_url: quick, credentials: "aws" },
    });
    await sendAll(quick, [{ n: 1 }]);
    await events.seen("quick-queue", 1);
    await until(async () => (await left(quick)) === 0, "the quick one's is gone from its queue");
    // All of the slow ones take 24 seconds at least.
    assert.ok((await left(slow)) > 0);
    assert.ok((await events.status("slow-queue")).succeeded < 60);
    await api.expect(200, "DELETE", `${events.path}/slow-queue`);
  });

  test("with no attempts of its own a message goes where the queue's redrive policy says", async () => {
    const { events, createQueue, sendAll, left } = world();
    const dead = await createQueue("dead");
    const deadLetterTargetArn = "arn:aws:sqs:us-east-1:123456789012:dead";
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 2 });
    const queue_url = await createQueue("redriven", { RedrivePolicy });
    await sendAll(queue_url, [{ n: 1 }, { n: 2, fail: true }]);
    await events.create({
      name: "redriven",
      type: "sqs",
      ref,
      sqs: { queue_url, credentials: "aws" },
      retry: { max_attempts: 0, backoff_ms: 10 },
    });
    await events.seen("redriven", 1);
    await until(async () => (await left(dead)) === 1, "it is in the queue's own dead letters", 30_000);
    assert.equal((await events.status("redriven")).failed, 0);
  });

  test("a message that runs for longer than it is hidden for runs once", async () => {
    const { events, createQueue, sendAll, left } = world();
    const queue_url = await createQueue("long");
    const sqsPart = { queue_url, credentials: "aws", visibility_timeout_seconds: 2 };
    await events.create({ name: "long", type: "sqs", ref, sqs: sqsPart });
    await sendAll(queue_url, [{ n: 1, waitMs: 4500 }]);
    await until(async () => (await events.status("long")).succeeded === 1, "it is done", 20_000);
    await until(async () => (await left(queue_url)) === 0, "it is gone");
    const [seen] = await events.seen("long", 1);
    assert.equal(seen?.runs, 1);
    assert.equal((await events.status("long")).received, 1);
  });

  test("messages of a group of a FIFO queue run in order", async () => {
    const { events, sqs, createQueue } = world();
    const queue_url = await createQueue("line.fifo", {
      FifoQueue: "true",
      ContentBasedDeduplication: "true",
    });
    for (let n = 0; n < 8; n++) {
      const MessageBody = JSON.stringify({ n, ...(n === 2 ? { reportUntil: 2 } : {}) });
      await sqs.send(new SendMessageCommand({ QueueUrl: queue_url, MessageBody, MessageGroupId: "one" }));
    }
    await events.create({
      name: "line",
      type: "sqs",
      ref,
      batch_size: 3,
      sqs: { queue_url, credentials: "aws" },
      retry: { backoff_ms: 10 },
    });
    const seen = await events.seen("line", 8);
    assert.deepEqual(
      seen.map(({ body }) => JSON.parse(body).n),
      [0, 1, 2, 3, 4, 5, 6, 7],
    );
  });

  test("a source that is away is tried again, says so, and goes on by itself; others go on meanwhile", async () => {
    const { events } = world();
    await using other = await startMoto();
    const away = new SQSClient(other.client);
    const create = async (): Promise<string> =>
      (await away.send(new CreateQueueCommand({ QueueName: "away" }))).QueueUrl ?? "";
    const queue_url = await create();
    await events.create({ name: "away", type: "sqs", ref, sqs: { queue_url, credentials: "aws" } });
    await until(async () => (await events.status("away")).state === "running", "it runs");
    await other.kill();
    await until(
      async () => (await events.status("away")).state === "failing",
      "it says that it fails",
      30_000,
    );
    assert.notEqual((await events.status("away")).last_error, null);
    assert.equal((await events.status("poisoned-queue")).state, "running");
    await other.restart();
    await create();
    await away.send(new SendMessageCommand({ QueueUrl: queue_url, MessageBody: '{"n":1}' }));
    await events.seen("away", 1, 60_000);
    away.destroy();
  });

  test("an address that is not public is refused where the operator has not opened it", async () => {
    const { events } = world();
    const queue_url = "http://10.1.2.3/1/q";
    await events.create({ name: "inside", type: "sqs", ref, sqs: { queue_url, credentials: "aws" } });
    await until(async () => (await events.status("inside")).state === "failing", "it is refused");
    assert.match(
      (await events.status("inside")).last_error?.message ?? "",
      /private|public|not allowed|may not/i,
    );
  });
}

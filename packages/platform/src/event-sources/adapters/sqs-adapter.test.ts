import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  SendMessageBatchCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { createSqliteStore } from "@sous/store";
import type { SourceMessage } from "../adapter.ts";
import { describeAdapterContract } from "../testing/describe-adapter-contract.ts";
import { openReader, type Taken } from "../testing/open-reader.ts";
import { numbered, type Numbered, type SourceWorld, sortedNumbers } from "../testing/source-world.ts";
import { type MotoWay, reachableBy, withMoto } from "../testing/with-moto.ts";
import { createSqsAdapter } from "./sqs-adapter.ts";

const HIDES_SECONDS = 5;
const ENTRIES_MAX = 10;

withMoto("SQS", (way) => {
  describeAdapterContract("a queue of SQS", () => openQueue(way(), false), {
    ordered: false,
    remote: true,
    hidesMs: HIDES_SECONDS * 1000,
  });
  describeAdapterContract("a FIFO queue of SQS", () => openQueue(way(), true), {
    ordered: true,
    remote: true,
    hidesMs: HIDES_SECONDS * 1000,
  });

  test("a message that somebody else deleted keeps none of the others from being held and ended", async () => {
    await using world = await openQueue(way(), false, 600);
    await using held = await takeAll(world, 25);
    const { partition, messages } = held;
    const [first] = messages;
    assert.ok(first);
    await world.client.send(new DeleteMessageCommand(handleOf(world, first)));
    await assert.rejects(partition.giveBack?.(messages, 0) ?? Promise.resolve(), /the queue refused/);
    const again = await held.take(24);
    assert.deepEqual(
      sortedNumbers(again.map((message) => world.read(message))),
      sortedNumbers(messages.slice(1).map((message) => world.read(message))),
    );
    const [one] = again;
    assert.ok(one);
    await world.client.send(new DeleteMessageCommand(handleOf(world, one)));
    await assert.rejects(partition.hold?.(again) ?? Promise.resolve(), /the queue refused/);
    await partition.done(again);
    assert.equal(await world.left(), 0);
  });

  test("what is held and given a second time is taken once, and ended with its newest handle", async () => {
    await using world = await openQueue(way(), false, 600);
    await using held = await takeAll(world, 3);
    const { partition, messages } = held;
    for (const message of messages)
      await world.client.send(
        new ChangeMessageVisibilityCommand({ ...handleOf(world, message), VisibilityTimeout: 0 }),
      );
    assert.deepEqual(await partition.receive(10, AbortSignal.timeout(20_000)), []);
    await world.put(numbered(1, 3));
    const [next] = await held.take(1);
    assert.equal(next === undefined ? undefined : world.read(next).n, 3);
    await partition.done([...messages, ...(next === undefined ? [] : [next])]);
    assert.equal(await world.left(), 0);
  });
});

/** What stands for a message that was taken, on the other side. */
const handleOf = ({ queueUrl }: SqsWorld, { json }: SourceMessage) => ({
  QueueUrl: queueUrl,
  ReceiptHandle: (JSON.parse(json) as { receiptHandle: string }).receiptHandle,
});

/** Puts so many messages into a queue, and reads them all. */
async function takeAll(world: SqsWorld, count: number) {
  await using stack = new AsyncDisposableStack();
  const store = stack.use(await createSqliteStore({ path: ":memory:" }));
  const reader = stack.use(await openReader(world, store));
  const [partition] = reader.partitions;
  assert.ok(partition);
  const take = async (wanted: number): Promise<SourceMessage[]> => {
    const taken: Taken[] = [];
    await reader.poll(10, (each) => taken.push(each) >= wanted);
    return taken.map(({ message }) => message);
  };
  await world.put(numbered(count));
  const messages = await take(count);
  const owned = stack.move();
  return { partition, messages, take, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

interface SqsWorld extends SourceWorld {
  client: SQSClient;
  queueUrl: string;
  /** @returns how many messages the queue holds, hidden ones too */
  left(): Promise<number>;
}

async function openQueue(
  { moto, proxy, url, egress }: MotoWay,
  isFifo: boolean,
  hidesSeconds = HIDES_SECONDS,
): Promise<SqsWorld> {
  const client = new SQSClient(moto.client);
  const { QueueUrl = "" } = await client.send(
    new CreateQueueCommand({
      QueueName: `q-${randomUUID()}${isFifo ? ".fifo" : ""}`,
      ...(isFifo ? { Attributes: { FifoQueue: "true" } } : {}),
    }),
  );
  const part = {
    queue_url: url + new URL(QueueUrl).pathname,
    region: "us-east-1",
    credentials: "aws",
    visibility_timeout_seconds: hidesSeconds,
  };
  return {
    client,
    queueUrl: QueueUrl,
    source: { type: "sqs", sqs: part },
    open: (context) => createSqsAdapter({ ...context, egress }, part),
    async put(messages) {
      for (let at = 0; at < messages.length; at += ENTRIES_MAX) {
        const Entries = messages.slice(at, at + ENTRIES_MAX).map((message) => ({
          Id: String(message.n),
          MessageBody: JSON.stringify(message),
          ...(isFifo ? { MessageGroupId: message.key, MessageDeduplicationId: randomUUID() } : {}),
        }));
        await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
      }
    },
    read: ({ match }) => (match as { body: Numbered }).body,
    async left() {
      const names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"] as const;
      const { Attributes = {} } = await client.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...names] }),
      );
      return names.reduce((sum, name) => sum + Number(Attributes[name]), 0);
    },
    reachable: reachableBy(proxy),
    [Symbol.asyncDispose]: async () => client.destroy(),
  };
}

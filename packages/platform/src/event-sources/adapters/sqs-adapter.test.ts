import { randomUUID } from "node:crypto";
import { CreateQueueCommand, SendMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs";
import { describeAdapterContract } from "../testing/describe-adapter-contract.ts";
import type { Numbered, SourceWorld } from "../testing/source-world.ts";
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
});

async function openQueue({ moto, proxy, url, egress }: MotoWay, isFifo: boolean): Promise<SourceWorld> {
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
    visibility_timeout_seconds: HIDES_SECONDS,
  };
  return {
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
    reachable: reachableBy(proxy),
    [Symbol.asyncDispose]: async () => client.destroy(),
  };
}

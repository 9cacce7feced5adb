import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  SendMessageBatchCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { type MotoServer, startMoto } from "@sous/store/testing";
import type { EventWorld } from "./event-world.ts";

/** A platform, and services of AWS on this machine beside it; its secret `aws` has their keys. */
export interface AwsWorld extends EventWorld {
  moto: MotoServer;
  sqs: SQSClient;
  /** @returns the queue's address */
  createQueue(name: string, attributes?: Record<string, string>): Promise<string>;
  /** Sends messages to a queue, ten at most. */
  sendAll(queueUrl: string, bodies: readonly unknown[]): Promise<void>;
  /** @returns how many messages a queue has at all: waiting, or hidden */
  left(queueUrl: string): Promise<number>;
}

/** Starts moto beside a platform. The platform goes on when this world ends. */
export async function openAwsWorld(events: EventWorld): Promise<AwsWorld> {
  const moto = await startMoto();
  const sqs = new SQSClient(moto.client);
  await events.events.secret("aws", moto.secret);
  return {
    ...events,
    moto,
    sqs,
    async createQueue(QueueName, Attributes = {}) {
      const { QueueUrl = "" } = await sqs.send(new CreateQueueCommand({ QueueName, Attributes }));
      return QueueUrl;
    },
    async sendAll(QueueUrl, bodies) {
      const Entries = bodies.map((body, at) => ({ Id: String(at), MessageBody: JSON.stringify(body) }));
      await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    },
    async left(QueueUrl) {
      const asked = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] });
      const { Attributes = {} } = await sqs.send(asked);
      return (
        Number(Attributes["ApproximateNumberOfMessages"]) +
        Number(Attributes["ApproximateNumberOfMessagesNotVisible"])
      );
    },
    async [Symbol.asyncDispose]() {
      sqs.destroy();
      await moto[Symbol.asyncDispose]();
    },
  };
}

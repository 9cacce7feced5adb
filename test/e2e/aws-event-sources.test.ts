import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  CreateBucketCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { missingMoto, type MotoServer, startMoto } from "@sous/store/testing";
import { type Api, createApi, until } from "../support/api.ts";
import { createEventApi, type EventApi } from "../support/event-api.ts";
import { scratchFolder, skipUnlessRequired } from "../support/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";

interface StreamDescription {
  StreamStatus: string;
  Shards: { ShardId: string }[];
}

/** The official client of Kinesis speaks HTTP/2, which moto does not; what is tested has a transport of its own. */
async function callKinesis<T>(url: string, action: string, body: object): Promise<T> {
  const scope = "Credential=test/20260101/us-east-1/kinesis/aws4_request";
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "x-amz-target": `Kinesis_20131202.${action}`,
      "content-type": "application/x-amz-json-1.1",
      authorization: `AWS4-HMAC-SHA256 ${scope}, SignedHeaders=host, Signature=none`,
    },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  assert.equal(response.status, 200, `${action}: ${text}`);
  return (text === "" ? {} : JSON.parse(text)) as T;
}

const missing = missingMoto();
const ref = { function: "seen", alias: "prod" };

test("event sources of AWS", (context) => {
  if (missing !== undefined) skipUnlessRequired(context, missing);
});

if (missing === undefined) {
  describe("event sources of AWS", () => {
    const data = scratchFolder();
    let moto: MotoServer;
    let server: TestServer;
    let api: Api;
    let events: EventApi;
    let sqs: SQSClient;

    before(async () => {
      moto = await startMoto();
      server = await startServer({ settings: { data: data.path, "egress.private_allow": ["127.0.0.0/8"] } });
      api = createApi(server.url);
      events = createEventApi(api);
      sqs = new SQSClient(moto.client);
      await events.deploySeen("seen");
      await events.secret("aws", moto.secret);
    });
    after(async () => {
      sqs.destroy();
      await server[Symbol.asyncDispose]();
      await moto[Symbol.asyncDispose]();
      data[Symbol.dispose]();
    });

    async function createQueue(QueueName: string, Attributes: Record<string, string> = {}): Promise<string> {
      const { QueueUrl = "" } = await sqs.send(new CreateQueueCommand({ QueueName, Attributes }));
      return QueueUrl;
    }

    /** Messages of a queue that are there at all: waiting, or hidden. */
    async function left(QueueUrl: string): Promise<number> {
      const { Attributes = {} } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }),
      );
      return (
        Number(Attributes["ApproximateNumberOfMessages"]) +
        Number(Attributes["ApproximateNumberOfMessagesNotVisible"])
      );
    }

    const sendAll = (QueueUrl: string, bodies: unknown[]): Promise<unknown> =>
      sqs.send(
        new SendMessageBatchCommand({
          QueueUrl,
          Entries: bodies.map((body, at) => ({ Id: String(at), MessageBody: JSON.stringify(body) })),
        }),
      );

    test("a poisoned SQS batch isolates the one bad message, the others are done and gone from the queue", async () => {
      const queue_url = await createQueue("poisoned");
      await sendAll(
        queue_url,
        Array.from({ length: 10 }, (_, n) => (n === 6 ? { n, fail: true } : { n })),
      );
      await events.create({
        name: "poisoned",
        type: "sqs",
        ref,
        sqs: { queue_url, credentials: "aws" },
        retry: { max_attempts: 2, backoff_ms: 10 },
      });
      const seen = await events.seen("poisoned", 9);
      assert.deepEqual(
        seen.map(({ body }) => JSON.parse(body).n).toSorted((a, b) => a - b),
        [0, 1, 2, 3, 4, 5, 7, 8, 9],
      );
      assert.deepEqual(
        new Set(seen.map(({ eventSource, runs }) => `${eventSource} ${runs}`)),
        new Set(["aws:sqs 1"]),
      );
      await until(async () => (await events.status("poisoned")).failed === 1, "the bad one is given up");
      await until(async () => (await left(queue_url)) === 0, "nothing is left in the queue");
      const { items } = await api.expect<{ items: { reason: string }[] }>(
        200,
        "GET",
        "/v1/tenants/t_default/namespaces/default/dlq?function=seen",
      );
      assert.deepEqual(
        items.map(({ reason }) => /poison \d+/.exec(reason)?.[0]),
        ["poison 6"],
      );
    });

    test("with no attempts of its own a message goes where the queue's redrive policy says", async () => {
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

    test("objects of a bucket come by its notifications", async () => {
      const s3 = new S3Client({ ...moto.client, forcePathStyle: true });
      const queue_url = await createQueue("uploads");
      await s3.send(new CreateBucketCommand({ Bucket: "uploads" }));
      await s3.send(
        new PutBucketNotificationConfigurationCommand({
          Bucket: "uploads",
          NotificationConfiguration: {
            QueueConfigurations: [
              { QueueArn: "arn:aws:sqs:us-east-1:123456789012:uploads", Events: ["s3:ObjectCreated:*"] },
            ],
          },
        }),
      );
      const part = { bucket: "uploads", prefix: "in/", queue_url, credentials: "aws" };
      await events.create({ name: "uploads", type: "s3", ref, s3: part });
      for (const Key of ["in/a b.png", "other/c.png"]) {
        await s3.send(new PutObjectCommand({ Bucket: "uploads", Key, Body: "x" }));
      }
      const [seen] = await events.seen("uploads", 1);
      assert.deepEqual([seen?.eventSource, seen?.s3?.bucket.name], ["aws:s3", "uploads"]);
      assert.equal(decodeURIComponent(String(seen?.s3?.object.key).replaceAll("+", " ")), "in/a b.png");
      await until(async () => (await left(queue_url)) === 0, "what is of no interest is gone too");
      s3.destroy();
    });

    test("where there are no notifications the bucket is listed, and each object runs once", async () => {
      const s3 = new S3Client({ ...moto.client, forcePathStyle: true });
      await s3.send(new CreateBucketCommand({ Bucket: "listed" }));
      const put = (Key: string, Body = "x"): Promise<unknown> =>
        s3.send(new PutObjectCommand({ Bucket: "listed", Key, Body }));
      await put("old");
      const part = { bucket: "listed", list_every_seconds: 1, endpoint: moto.url, credentials: "aws" };
      await events.create({ name: "listed", type: "s3", ref, s3: part, start_position: "trim_horizon" });
      await events.seen("listed", 1);
      await put("new/one");
      await put("new/two");
      await events.seen("listed", 3);
      await put("old", "changed");
      const seen = await events.seen("listed", 4);
      assert.deepEqual(
        seen.map(({ s3: found }) => found?.object.key),
        ["old", "new/one", "new/two", "old"],
      );
      assert.ok(seen.every(({ runs }) => runs === 1));
      await api.expect(200, "POST", `${events.path}/listed:pause`);
      await api.expect(200, "POST", `${events.path}/listed:resume`);
      await new Promise((resolve) => setTimeout(resolve, 2500));
      assert.equal((await events.status("listed")).received, 0, "from the checkpoint nothing is new");
      s3.destroy();
    });

    test("records of a stream run in order of their keys, over a split of their shard", async () => {
      const kinesis = <T>(action: string, body: object): Promise<T> => callKinesis(moto.url, action, body);
      await kinesis("CreateStream", { StreamName: "clicks", ShardCount: 1 });
      const stream = async () =>
        (await kinesis<{ StreamDescription: StreamDescription }>("DescribeStream", { StreamName: "clicks" }))
          .StreamDescription;
      await until(async () => (await stream()).StreamStatus === "ACTIVE", "the stream is there");
      const put = (from: number, to: number): Promise<unknown> =>
        kinesis("PutRecords", {
          StreamName: "clicks",
          Records: Array.from({ length: to - from }, (_, at) => ({
            PartitionKey: `user-${(from + at) % 3}`,
            Data: Buffer.from(JSON.stringify({ n: from + at })).toString("base64"),
          })),
        });
      const part = { stream: "clicks", endpoint: moto.url, credentials: "aws" };
      await events.create({
        name: "clicks",
        type: "kinesis",
        ref,
        batch_size: 5,
        kinesis: part,
        start_position: "trim_horizon",
      });
      await put(0, 12);
      await events.seen("clicks", 12, 30_000);
      const [shard] = (await stream()).Shards;
      const NewStartingHashKey = (2n ** 127n).toString();
      await kinesis("SplitShard", { StreamName: "clicks", ShardToSplit: shard?.ShardId, NewStartingHashKey });
      await put(12, 24);
      const seen = await events.seen("clicks", 24, 60_000);
      const order = new Map<string, number[]>();
      for (const { kinesis: record } of seen) {
        const { n } = JSON.parse(Buffer.from(record?.data ?? "", "base64").toString()) as { n: number };
        order.set(record?.partitionKey ?? "", [...(order.get(record?.partitionKey ?? "") ?? []), n]);
      }
      for (const [user, numbers] of order) {
        assert.deepEqual(
          numbers,
          numbers.toSorted((a, b) => a - b),
          `in the order of ${user}`,
        );
      }
      assert.equal([...order.values()].flat().length, 24);
    });

    test("a source that is away is tried again, says so, and goes on by itself; others go on meanwhile", async () => {
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
      assert.equal((await events.status("poisoned")).state, "running");
      await other.restart();
      await create();
      await away.send(new SendMessageCommand({ QueueUrl: queue_url, MessageBody: '{"n":1}' }));
      await events.seen("away", 1, 60_000);
      away.destroy();
    });

    test("an address that is not public is refused where the operator has not opened it", async () => {
      const queue_url = "http://10.1.2.3/1/q";
      await events.create({ name: "inside", type: "sqs", ref, sqs: { queue_url, credentials: "aws" } });
      await until(async () => (await events.status("inside")).state === "failing", "it is refused");
      assert.match(
        (await events.status("inside")).last_error?.message ?? "",
        /private|public|not allowed|may not/i,
      );
    });
  });
}

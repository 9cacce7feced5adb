import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CreateBucketCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { until } from "../support/api.ts";
import type { AwsWorld } from "./aws-world.ts";
import { assertLinked, SEEN_REF as ref } from "./event-world.ts";

/** What is done with new objects of a bucket. */
export function describeS3(world: () => AwsWorld): void {
  test("objects of a bucket come by its notifications", async () => {
    const { api, events, moto, createQueue, left } = world();
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
    await assertLinked(api, seen, { source: "uploads", type: "s3", message: String(seen?.messageId) });
    s3.destroy();
  });

  test("where there are no notifications the bucket is listed, and each object runs once", async () => {
    const { api, events, moto, pause } = world();
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
    await until(async () => (await events.status("listed")).succeeded === 4, "all of them are counted");
    await pause("listed");
    await put("new/three");
    await api.expect(200, "POST", `${events.path}/listed:resume`);
    const last = (await events.seen("listed", 5)).at(-1);
    assert.equal(last?.s3?.object.key, "new/three");
    await assertLinked(api, last, { source: "listed", type: "s3", message: String(last?.messageId) });
    await until(async () => (await events.status("listed")).received === 1, "from the checkpoint one is new");
    s3.destroy();
  });
}

import { randomUUID } from "node:crypto";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { describeAdapterContract } from "../testing/describe-adapter-contract.ts";
import type { SourceWorld } from "../testing/source-world.ts";
import { type MotoWay, reachableBy, withMoto } from "../testing/with-moto.ts";
import { createS3ListingAdapter } from "./s3-listing-adapter.ts";

withMoto("S3", (way) => {
  describeAdapterContract("a bucket that is listed", () => openBucket(way()), {
    ordered: false,
    remote: true,
  });
});

async function openBucket({ moto, proxy, url, egress }: MotoWay): Promise<SourceWorld> {
  const client = new S3Client({ ...moto.client, forcePathStyle: true });
  const bucket = `b-${randomUUID()}`;
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  return {
    source: { type: "s3", s3: { bucket, endpoint: url, credentials: "aws", list_every_seconds: 1 } },
    open: (context) => createS3ListingAdapter({ ...context, egress }),
    async put(messages) {
      for (const { n, key } of messages) {
        await client.send(new PutObjectCommand({ Bucket: bucket, Key: `${key}/${n}`, Body: "x" }));
      }
    },
    read({ match }) {
      const { key: path } = (match as { s3: { object: { key: string } } }).s3.object;
      const [key = "", n] = path.split("/");
      return { n: Number(n), key };
    },
    reachable: reachableBy(proxy),
    [Symbol.asyncDispose]: async () => client.destroy(),
  };
}

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { describeAdapterContract } from "../testing/describe-adapter-contract.ts";
import type { Numbered, SourceWorld } from "../testing/source-world.ts";
import { type MotoWay, reachableBy, withMoto } from "../testing/with-moto.ts";
import { createKinesisAdapter } from "./kinesis-adapter.ts";

withMoto("Kinesis", (way) => {
  describeAdapterContract("a stream of Kinesis", () => openStream(way()), { ordered: true, remote: true });
});

async function openStream({ moto, proxy, url, egress }: MotoWay): Promise<SourceWorld> {
  const StreamName = `s-${randomUUID()}`;
  await call(moto.url, "CreateStream", { StreamName, ShardCount: 2 });
  for (;;) {
    const { StreamDescription } = await call<{ StreamDescription: { StreamStatus: string } }>(
      moto.url,
      "DescribeStream",
      { StreamName },
    );
    if (StreamDescription.StreamStatus === "ACTIVE") break;
    await pause(20);
  }
  const kinesis = { stream: StreamName, region: "us-east-1", endpoint: url, credentials: "aws" };
  return {
    source: { type: "kinesis", kinesis },
    open: (context) => createKinesisAdapter({ ...context, egress }),
    async put(messages) {
      for (const message of messages) {
        const Data = Buffer.from(JSON.stringify(message)).toString("base64");
        await call(moto.url, "PutRecord", { StreamName, PartitionKey: message.key, Data });
      }
    },
    read: ({ match }) => (match as { data: Numbered }).data,
    reachable: reachableBy(proxy),
    [Symbol.asyncDispose]: async () => void (await call(moto.url, "DeleteStream", { StreamName })),
  };
}

/** The official client speaks HTTP/2, which moto does not; what is tested has a transport of its own. */
async function call<T>(url: string, action: string, body: object): Promise<T> {
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

import { after, before, describe, test } from "node:test";
import type { Deployment } from "../support/deployments.ts";
import { missingMoto } from "@sous/store/testing";
import { skipUnlessRequired } from "../support/scratch.ts";
import { type AwsWorld, openAwsWorld } from "./aws-world.ts";
import { type EventWorld, openEventWorld } from "./event-world.ts";
import { describeKinesis } from "./kinesis.ts";
import { describeRedisStreams } from "./redis-streams.ts";
import { describeS3 } from "./s3.ts";
import { describeSqs } from "./sqs.ts";
import { describeTopics } from "./topics.ts";
import { describeWebhooks } from "./webhooks.ts";

/** From each kind of source to the record of a call and back, however the platform is run. */
export function describeEventSources(deployment: Deployment): void {
  const { name, missing } = deployment;
  if (missing !== undefined) {
    test(`event sources: ${name}`, (context) => skipUnlessRequired(context, missing));
    return;
  }
  // Most of their time they wait, and none may mind the others.
  describe(`event sources: ${name}`, { concurrency: true }, () => {
    let world: EventWorld;
    before(async () => {
      world = await openEventWorld(deployment);
    });
    after(async () => await world[Symbol.asyncDispose]());

    describe("topics", { concurrency: 1 }, () => describeTopics(() => world));
    describeWebhooks(() => world);
    describeRedisStreams(() => world);
    describeKinesis(() => world);
    describeAws(() => world);
  });
}

function describeAws(world: () => EventWorld): void {
  const missing = missingMoto();
  if (missing !== undefined) {
    test("sources of AWS", (context) => skipUnlessRequired(context, missing));
    return;
  }
  describe("sources of AWS", { concurrency: 1 }, () => {
    let aws: AwsWorld;
    before(async () => {
      aws = await openAwsWorld(world());
    });
    after(async () => await aws[Symbol.asyncDispose]());

    describeSqs(() => aws);
    describeS3(() => aws);
  });
}

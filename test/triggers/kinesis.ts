import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { until } from "../support/api.ts";
import type { SeenRecord } from "../support/event-api.ts";
import { type KinesisServer, startKinesis } from "../support/kinesis-server.ts";
import { assertLinked, type EventWorld, SEEN_REF as ref } from "./event-world.ts";

interface Shard {
  ShardId: string;
  ParentShardId?: string | null;
  AdjacentParentShardId?: string | null;
  SequenceNumberRange: { EndingSequenceNumber?: string | null };
}

const USERS = 6;
const HALF = (2n ** 127n).toString();

/** What is done with the records of a stream of Kinesis. */
export function describeKinesis(world: () => EventWorld): void {
  describe("streams of Kinesis", { concurrency: 1 }, () => {
    let kinesis: KinesisServer;
    before(async () => {
      kinesis = await startKinesis();
      const keys = { access_key_id: "test", secret_access_key: "test" };
      await world().events.secret("kinesis", JSON.stringify(keys));
    });
    after(async () => await kinesis[Symbol.asyncDispose]());

    const create = (stream: string): Promise<unknown> =>
      world().events.create({
        name: stream,
        type: "kinesis",
        ref,
        batch_size: 5,
        kinesis: { stream, endpoint: kinesis.url, credentials: "kinesis" },
        start_position: "trim_horizon",
      });

    /** Messages of a source by what became of them, in every process. */
    async function counted(source: string, outcome: string): Promise<number> {
      const text = await world().deployed.metrics();
      const labels = `[^}]*source="${source}"[^}]*outcome="${outcome}"[^}]*`;
      const lines = text.matchAll(new RegExp(`^cs_event_source_messages_total\\{${labels}\\} (\\d+)`, "gm"));
      return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
    }

    test("records run in order of their keys over a split and a merge of their shards, parents before children", async () => {
      const { api, events } = world();
      const stream = await createStream(kinesis.url, "clicks");
      await stream.put(0, 12);
      await stream.split();
      await stream.put(12, 24);
      await stream.merge();
      await stream.put(24, 36);
      // All of it waits already: only who begins with the parents gets it in order.
      await create("clicks");
      await events.seen("clicks", 36);
      // And once more while it is read.
      await stream.split();
      await stream.put(36, 48);
      await stream.merge();
      await stream.put(48, 60);
      const seen = await events.seen("clicks", 60, 90_000);
      assertOrder(seen, 60);
      assert.ok(seen.every(({ runs }) => runs === 1));
      await assertParentsFirst(events, "clicks", await stream.shards());
      const message = String(seen[0]?.kinesis?.sequenceNumber);
      await assertLinked(api, seen[0], { source: "clicks", type: "kinesis", message });
      await until(async () => (await counted("clicks", "succeeded")) === 60, "all of them are counted");
    });

    test("a stream goes on from its checkpoint, in what is left of it and in nothing else", async () => {
      const { api, events, pause } = world();
      const stream = await createStream(kinesis.url, "again");
      await create("again");
      await stream.put(0, 5);
      await events.seen("again", 5);
      await pause("again");
      await stream.put(5, 8);
      await stream.split();
      await stream.put(8, 14);
      await api.expect(200, "POST", `${events.path}/again:resume`);
      const seen = await events.seen("again", 14);
      assertOrder(seen, 14);
      assert.ok(seen.every(({ runs }) => runs === 1));
      // Its shards may be read by several processes.
      await until(async () => (await counted("again", "received")) === 14, "each was read once");
    });
  });
}

/** Makes a stream of one shard. */
async function createStream(url: string, StreamName: string) {
  const ask = <T>(action: string, body: object = {}): Promise<T> =>
    callKinesis(url, action, { StreamName, ...body });
  const describe = async () =>
    (await ask<{ StreamDescription: { StreamStatus: string; Shards: Shard[] } }>("DescribeStream"))
      .StreamDescription;
  const shards = async (): Promise<Shard[]> => (await describe()).Shards;
  const open = async (): Promise<Shard[]> =>
    (await shards()).filter(
      ({ SequenceNumberRange: range }) => (range.EndingSequenceNumber ?? null) === null,
    );
  await ask("CreateStream", { ShardCount: 1 });
  await until(async () => (await describe()).StreamStatus === "ACTIVE", "the stream is there");
  return {
    shards,
    /** Puts records, of one key after the other. */
    put: (from: number, to: number): Promise<unknown> =>
      ask("PutRecords", {
        Records: Array.from({ length: to - from }, (_, at) => ({
          PartitionKey: `user-${(from + at) % USERS}`,
          Data: Buffer.from(JSON.stringify({ n: from + at })).toString("base64"),
        })),
      }),
    async split(): Promise<void> {
      const [shard] = await open();
      await ask("SplitShard", { ShardToSplit: shard?.ShardId, NewStartingHashKey: HALF });
      await until(async () => (await open()).length === 2, "two shards");
    },
    async merge(): Promise<void> {
      const [shard, other] = await open();
      await ask("MergeShards", { ShardToMerge: shard?.ShardId, AdjacentShardToMerge: other?.ShardId });
      await until(async () => (await open()).length === 1, "one shard");
    },
  };
}

/** The official client of Kinesis speaks HTTP/2 alone; what is tested has a transport of its own. */
async function callKinesis<T>(url: string, action: string, body: object): Promise<T> {
  const scope = "Credential=test/20260101/us-east-1/kinesis/aws4_request";
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "x-amz-date": "20260101T000000Z",
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

function assertOrder(seen: readonly SeenRecord[], count: number): void {
  const order = Map.groupBy(seen, ({ kinesis }) => kinesis?.partitionKey ?? "");
  const numbersOf = (records: readonly SeenRecord[]): number[] =>
    records.map(
      ({ kinesis }) => (JSON.parse(Buffer.from(kinesis?.data ?? "", "base64").toString()) as { n: number }).n,
    );
  for (const [user, records] of order) {
    const numbers = numbersOf(records);
    const inOrder = numbers.toSorted((a, b) => a - b);
    assert.deepEqual(numbers, inOrder, `in the order of ${user}`);
  }
  const all = numbersOf(seen).toSorted((a, b) => a - b);
  assert.deepEqual(
    all,
    Array.from({ length: count }, (_, n) => n),
  );
}

/** Says that no call with records of a shard began before every call of its parents had ended. */
async function assertParentsFirst(
  events: EventWorld["events"],
  source: string,
  shards: readonly Shard[],
): Promise<void> {
  const calls = Map.groupBy(await events.calls(source), ({ trigger }) => trigger.source.partition ?? "");
  let compared = 0;
  for (const { ShardId, ParentShardId, AdjacentParentShardId } of shards) {
    const begun = Math.min(...(calls.get(ShardId) ?? []).map(({ start_ms }) => start_ms ?? 0));
    for (const parent of [ParentShardId, AdjacentParentShardId]) {
      const ends = (calls.get(parent ?? "") ?? []).map(({ end_ms }) => end_ms ?? Infinity);
      if (ends.length === 0 || begun === Infinity) continue;
      compared++;
      assert.ok(Math.max(...ends) <= begun, `${ShardId} began before ${parent} was through`);
    }
  }
  assert.ok(compared >= 8, `${compared} shards with parents have run`);
}

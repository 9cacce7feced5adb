import type { KinesisClient, _Record as KinesisRecord, Shard } from "@aws-sdk/client-kinesis";
import type { EventSourceRecord } from "@sous/contract";
import type { Egress } from "../../powers/create-egress.ts";
import type {
  AdapterContext,
  CheckpointKeeper,
  Partition,
  PartitionInfo,
  SourceAdapter,
  SourceMessage,
} from "../adapter.ts";
import { awsClientConfig } from "../aws/client-config.ts";
import { OrderedEnds } from "../ordered-ends.ts";
import { parsedOr } from "./parsed-or.ts";
import { startMsOf } from "./start-position.ts";

/** A shard may be asked five times a second, by everybody together. */
const POLL_MS = 1000;
const BUSY_POLL_MS = 220;
/** Answers stay well below what a call out may bring. */
const RECORDS_MAX = 500;

type Context = AdapterContext & { egress: Pick<Egress, "fetch"> };

/** Makes the adapter of a stream of Kinesis: each shard is a partition, and begins when its parents are through. */
export async function createKinesisAdapter(context: Context): Promise<SourceAdapter> {
  const { KinesisClient: Client, ListShardsCommand } = await import("@aws-sdk/client-kinesis");
  const part = context.source.kinesis;
  if (part === undefined) throw new TypeError("a source of type kinesis has its part");
  const client = new Client(await awsClientConfig(context, part));
  return {
    async partitions() {
      const shards: Shard[] = [];
      let NextToken: string | undefined;
      do {
        const page = await client.send(
          new ListShardsCommand(NextToken === undefined ? { StreamName: part.stream } : { NextToken }),
        );
        shards.push(...(page.Shards ?? []));
        ({ NextToken } = page);
      } while (NextToken !== undefined);
      return shards.map(infoOf);
    },
    open: async (id, checkpoint) => openShard(client, context, part.stream, id, checkpoint),
    [Symbol.asyncDispose]: async () => client.destroy(),
  };
}

const infoOf = ({ ShardId = "", ParentShardId, AdjacentParentShardId }: Shard): PartitionInfo => ({
  id: ShardId,
  parents: [ParentShardId, AdjacentParentShardId].filter((id) => id !== undefined),
});

function openShard(
  client: KinesisClient,
  { source, clock, sleep }: Context,
  StreamName: string,
  ShardId: string,
  checkpoint: CheckpointKeeper,
): Partition {
  const ends = new OrderedEnds<string>();
  let after = checkpoint.read.position;
  let iterator: string | undefined;
  let isThrough = false;
  let behindMs: number | null = null;
  let nextPollMs = 0;

  async function begin(): Promise<string | undefined> {
    const { GetShardIteratorCommand } = await import("@aws-sdk/client-kinesis");
    const startMs = startMsOf(source);
    const from =
      after !== null
        ? ({ ShardIteratorType: "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber: after } as const)
        : startMs === undefined
          ? ({ ShardIteratorType: "TRIM_HORIZON" } as const)
          : ({ ShardIteratorType: "AT_TIMESTAMP", Timestamp: new Date(startMs) } as const);
    return (await client.send(new GetShardIteratorCommand({ StreamName, ShardId, ...from }))).ShardIterator;
  }

  async function read(limit: number): Promise<KinesisRecord[]> {
    const { GetRecordsCommand } = await import("@aws-sdk/client-kinesis");
    iterator ??= await begin();
    try {
      const page = await client.send(new GetRecordsCommand({ ShardIterator: iterator, Limit: limit }));
      // At a shard's end it is null on the wire.
      iterator = page.NextShardIterator ?? undefined;
      isThrough = iterator === undefined;
      behindMs = page.MillisBehindLatest ?? null;
      return page.Records ?? [];
    } catch (error) {
      // One lives five minutes, and may be of a server that forgot it.
      iterator = undefined;
      throw error;
    }
  }

  return {
    async receive(room, signal) {
      await sleep(Math.max(0, nextPollMs - clock()), signal);
      if (signal.aborted) return [];
      if (isThrough) {
        await sleep(POLL_MS, signal);
        return [];
      }
      const records = await read(Math.min(RECORDS_MAX, room));
      nextPollMs = clock() + (records.length > 0 ? BUSY_POLL_MS : POLL_MS);
      return records.map((record) => {
        const message = kinesisMessage(source, ShardId, record);
        after = message.id;
        ends.read(message.id, message.id);
        return message;
      });
    },
    done: (messages) =>
      ends.endAndWrite(
        messages.map(({ id }) => id),
        (position) => checkpoint.write({ position, ended: false }),
      ),
    lag: async () => ({ count: null, ageMs: behindMs }),
    isAtEnd: () => isThrough && ends.isEmpty,
    [Symbol.asyncDispose]: async () => {},
  };
}

function kinesisMessage(source: EventSourceRecord, shardId: string, record: KinesisRecord): SourceMessage {
  const {
    SequenceNumber = "",
    PartitionKey = "",
    Data = new Uint8Array(),
    ApproximateArrivalTimestamp,
  } = record;
  const data = Buffer.from(Data);
  const arrivedMs = ApproximateArrivalTimestamp?.getTime();
  const shown = {
    kinesis: {
      kinesisSchemaVersion: "1.0",
      partitionKey: PartitionKey,
      sequenceNumber: SequenceNumber,
      data: data.toString("base64"),
      ...(arrivedMs === undefined ? {} : { approximateArrivalTimestamp: arrivedMs / 1000 }),
    },
    eventSource: "aws:kinesis",
    eventSourceName: source.name,
    eventVersion: "1.0",
    eventID: `${shardId}:${SequenceNumber}`,
    eventName: "aws:kinesis:record",
  };
  return {
    id: SequenceNumber,
    key: PartitionKey,
    attempt: 1,
    ...(arrivedMs === undefined ? {} : { atMs: arrivedMs }),
    json: JSON.stringify(shown),
    match: { partitionKey: PartitionKey, data: parsedOr(data.toString("utf8")) },
  };
}

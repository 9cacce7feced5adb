import { createHash } from "node:crypto";
import type { S3Client } from "@aws-sdk/client-s3";
import type { Egress } from "../../powers/create-egress.ts";
import {
  type AdapterContext,
  type CheckpointKeeper,
  type Partition,
  type SourceAdapter,
  type SourceMessage,
  WHOLE,
} from "../adapter.ts";
import { awsClientConfig } from "../aws/client-config.ts";
import { OrderedEnds } from "../ordered-ends.ts";
import { listedMessage, type ListedObject } from "./s3-message.ts";
import { startMsOf } from "./start-position.ts";

const LIST_EVERY_SECONDS = 60;
/** Objects may show up so late behind others with a later time. */
const LATE_MS = 10_000;
/** Objects of the last moments that a checkpoint remembers. */
const REMEMBERED_MAX = 3000;

/** How far a bucket was worked off: everything before `t`, and of the last moments those with these hashes. */
interface Position {
  t: number;
  ids: string[];
}

type Context = AdapterContext & { egress: Pick<Egress, "fetch"> };

/** Makes the adapter of a bucket without notifications: it is listed as a whole, again and again. */
export async function createS3ListingAdapter(context: Context): Promise<SourceAdapter> {
  const { S3Client: Client } = await import("@aws-sdk/client-s3");
  const part = context.source.s3;
  if (part === undefined) throw new TypeError("a source of type s3 has its part");
  const config = await awsClientConfig(context, part);
  const client = new Client({ ...config, forcePathStyle: part.endpoint !== undefined });
  return {
    partitions: async () => WHOLE,
    open: async (_id, checkpoint) => openBucket(client, context, checkpoint),
    [Symbol.asyncDispose]: async () => client.destroy(),
  };
}

function openBucket(client: S3Client, context: Context, checkpoint: CheckpointKeeper): Partition {
  const { source, clock, sleep } = context;
  const { bucket = "", prefix, list_every_seconds = LIST_EVERY_SECONDS } = source.s3 ?? {};
  const stored = checkpoint.read.position;
  const start: Position =
    stored === null ? { t: startMsOf(source) ?? 0, ids: [] } : (JSON.parse(stored) as Position);
  const known = new Map(start.ids.map((id) => [id, start.t]));
  const ends = new OrderedEnds<ListedObject>();
  let found: ListedObject[] = [];
  let nextListMs = 0;
  let lowest = start.t;

  async function list(): Promise<ListedObject[]> {
    const { ListObjectsV2Command } = await import("@aws-sdk/client-s3");
    const fresh: ListedObject[] = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await client.send(
        new ListObjectsV2Command({
          Bucket: bucket,
          ...(prefix === undefined ? {} : { Prefix: prefix }),
          ...(ContinuationToken === undefined ? {} : { ContinuationToken }),
        }),
      );
      for (const { Key, LastModified, Size = 0, ETag = "" } of page.Contents ?? []) {
        if (Key === undefined || LastModified === undefined) continue;
        const object = {
          key: Key,
          modifiedMs: LastModified.getTime(),
          size: Size,
          etag: ETag.replaceAll('"', ""),
        };
        const id = hashOf(object);
        if (object.modifiedMs < lowest - LATE_MS || known.has(id)) continue;
        // From before a source began nothing counts, however late it shows up.
        if (stored === null && object.modifiedMs < start.t - 1000) continue;
        known.set(id, object.modifiedMs);
        fresh.push(object);
      }
      ContinuationToken = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (ContinuationToken !== undefined);
    return fresh.sort((a, b) => a.modifiedMs - b.modifiedMs || (a.key < b.key ? -1 : 1));
  }

  async function advance(through: ListedObject): Promise<void> {
    lowest = Math.max(lowest, through.modifiedMs);
    for (const [id, ms] of known) if (ms < lowest - LATE_MS) known.delete(id);
    // What runs now would be taken for done by whoever goes on from here.
    const waiting = new Set([...found, ...ends.open].map(hashOf));
    const ids = [...known.keys()].filter((id) => !waiting.has(id)).slice(-REMEMBERED_MAX);
    const position: Position = { t: lowest, ids };
    await checkpoint.write({ position: JSON.stringify(position), ended: false });
  }

  return {
    async receive(room, signal) {
      if (found.length === 0) {
        const waitMs = nextListMs - clock();
        if (waitMs > 0) {
          await sleep(Math.min(waitMs, 5000), signal);
          return [];
        }
        found = await list();
        nextListMs = clock() + list_every_seconds * 1000;
      }
      return found.splice(0, room).map((object): SourceMessage => {
        const message = listedMessage(source, object);
        ends.read(message.id, object);
        return message;
      });
    },
    done: (messages) =>
      ends.endAndWrite(
        messages.map(({ id }) => id),
        advance,
      ),
    lag: async () => ({ count: found.length, ageMs: null }),
    [Symbol.asyncDispose]: async () => {},
  };
}

const hashOf = ({ key, modifiedMs, etag }: ListedObject): string =>
  createHash("sha256").update(`${key}\0${etag}\0${modifiedMs}`).digest("base64url").slice(0, 14);

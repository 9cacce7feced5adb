import type { Redis } from "ioredis";
import { type AddressGuard } from "../checked-address.ts";
import {
  type AdapterContext,
  type Partition,
  type SourceAdapter,
  type SourceMessage,
  WHOLE,
} from "../adapter.ts";
import { type Entry, readEntries, redisMessage } from "./redis-message.ts";
import { startMsOf } from "./start-position.ts";

/** The lease lets one process read at a time: what it left behind is the next one's. */
const CONSUMER = "sous";
const BLOCK_MS = 5000;
/** What another consumer of the group has not ended for so long is taken over. */
const DEAD_AFTER_MS = 60_000;
const CLAIM_EVERY_MS = 15_000;
const HOLD_EVERY_MS = 20_000;

type Context = AdapterContext & { guard: AddressGuard };

/** Makes the adapter of a stream of Redis, or of a server that speaks its protocol. The client is loaded on first use. */
export async function createRedisStreamAdapter(context: Context): Promise<SourceAdapter> {
  return {
    partitions: async () => WHOLE,
    open: () => openStream(context),
    [Symbol.asyncDispose]: async () => {},
  };
}

async function connect({ source, guard, secret }: Context, blocks: boolean): Promise<Redis> {
  const { Redis: Client } = await import("ioredis");
  const part = source.redis_stream;
  if (part === undefined) throw new TypeError("a source of type redis_stream has its part");
  const url = new URL(part.url);
  const port = Number(url.port === "" ? 6379 : url.port);
  // Resolved and judged here, and connected to as it was judged.
  const host = await guard(url.hostname, port);
  const login = part.credentials === undefined ? {} : loginOf(await secret(part.credentials));
  const client = new Client({
    host,
    port,
    db: Number(url.pathname.slice(1) || 0),
    ...login,
    ...(url.protocol === "rediss:" ? { tls: { servername: url.hostname } } : {}),
    protocol: 2,
    disableClientInfo: true,
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    connectTimeout: 5000,
    ...(blocks ? {} : { commandTimeout: 5000 }),
    // The framework opens it anew, later each time.
    retryStrategy: () => null,
  });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** Connects again what an outage has ended, where it was connected to before. */
async function connected(client: Redis): Promise<void> {
  if (client.status === "end") await client.connect();
}

function loginOf(text: string): { username?: string; password: string } {
  if (!text.startsWith("{")) return { password: text.trim() };
  const { username, password } = JSON.parse(text) as { username?: string; password: string };
  return { password, ...(username === undefined ? {} : { username }) };
}

async function openStream(context: Context): Promise<Partition> {
  const { source, clock } = context;
  const { stream = "", group = `sous-${source.namespace}-${source.name}` } = source.redis_stream ?? {};
  const reader = await connect(context, true);
  const writer = await connect(context, false).catch((error: unknown) => {
    reader.disconnect();
    throw error;
  });
  await makeGroup(writer, stream, group, startIdOf(context));
  const held = new Set<string>();
  let backlogFrom: string | undefined = "0";
  let nextClaimMs = 0;

  const messagesOf = async (entries: readonly Entry[], isRepeated: boolean): Promise<SourceMessage[]> => {
    const messages: SourceMessage[] = [];
    for (const { id, fields } of entries) {
      if (held.has(id)) continue;
      // Cut from the stream while it was pending: nothing is left to run.
      if (fields === undefined) {
        await writer.xack(stream, group, id);
        continue;
      }
      held.add(id);
      messages.push(redisMessage(source, stream, id, fields, isRepeated ? await deliveries(id) : 1));
    }
    return messages;
  };

  async function deliveries(id: string): Promise<number> {
    const [pending] = (await writer.xpending(stream, group, id, id, 1)) as [string, string, number, number][];
    return Math.max(1, pending?.[3] ?? 1);
  }

  /** What this consumer was given before and never ended, a page at a time. */
  async function backlog(room: number): Promise<SourceMessage[]> {
    const reply = await writer.xreadgroup(
      "GROUP",
      group,
      CONSUMER,
      "COUNT",
      room,
      "STREAMS",
      stream,
      backlogFrom ?? "0",
    );
    const entries = readEntries(reply);
    backlogFrom = entries.at(-1)?.id;
    return await messagesOf(entries, true);
  }

  async function claimDead(room: number): Promise<SourceMessage[]> {
    nextClaimMs = clock() + CLAIM_EVERY_MS;
    const reply = (await writer.xautoclaim(
      stream,
      group,
      CONSUMER,
      DEAD_AFTER_MS,
      "0",
      "COUNT",
      room,
    )) as unknown[];
    return await messagesOf(readEntries([[stream, reply[1]]]), true);
  }

  return {
    async receive(room, signal) {
      await connected(reader);
      await connected(writer);
      while (backlogFrom !== undefined) {
        const messages = await backlog(room);
        if (messages.length > 0) return messages;
      }
      if (clock() >= nextClaimMs) {
        const messages = await claimDead(room);
        if (messages.length > 0) return messages;
      }
      const cut = (): void => reader.disconnect();
      signal.addEventListener("abort", cut, { once: true });
      try {
        const reply = await reader.xreadgroup(
          "GROUP",
          group,
          CONSUMER,
          "COUNT",
          room,
          "BLOCK",
          BLOCK_MS,
          "STREAMS",
          stream,
          ">",
        );
        return await messagesOf(readEntries(reply), false);
      } finally {
        signal.removeEventListener("abort", cut);
      }
    },
    async done(messages) {
      await connected(writer);
      await writer.xack(stream, group, ...messages.map(({ id }) => id));
      for (const { id } of messages) held.delete(id);
    },
    holdEveryMs: HOLD_EVERY_MS,
    // So that no other consumer of the group takes it for dead.
    async hold(messages) {
      await connected(writer);
      await writer.call("xclaim", stream, group, CONSUMER, 0, ...messages.map(({ id }) => id), "JUSTID");
    },
    async lag() {
      const groups = (await writer.xinfo("GROUPS", stream)) as unknown[][];
      const own = groups.map(fieldsOf).find(({ name }) => name === group);
      const lag = own?.["lag"];
      return { count: typeof lag === "number" ? lag : null, ageMs: null };
    },
    async [Symbol.asyncDispose]() {
      reader.disconnect();
      writer.disconnect();
    },
  };
}

const startIdOf = ({ source }: Context): string => {
  const startMs = startMsOf(source);
  return startMs === undefined ? "0" : `${startMs}-0`;
};

async function makeGroup(client: Redis, stream: string, group: string, from: string): Promise<void> {
  try {
    await client.xgroup("CREATE", stream, group, from, "MKSTREAM");
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith("BUSYGROUP")) throw error;
  }
}

const fieldsOf = (list: unknown[]): Record<string, unknown> =>
  Object.fromEntries(
    Array.from({ length: list.length / 2 }, (_, at) => [String(list[at * 2]), list[at * 2 + 1]]),
  );

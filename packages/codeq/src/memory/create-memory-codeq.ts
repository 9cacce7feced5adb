import { PlatformError } from "@sous/contract";
import type { QueueJournal } from "@sous/store";
import type { CodeQ, Message, PublishOptions } from "../codeq.ts";
import { DEAD_LETTER_BOUNDS, type DeadLetterOptions } from "../dead-letter-bounds.ts";
import { type SetTimer, systemTimer } from "./alarm.ts";
import { type BodyCodec, DurableLog, type RestoredMessage } from "./durable-log.ts";
import { Engine } from "./engine.ts";
import { Entry, type Lane } from "./lanes.ts";
import { ReplyHub } from "./reply-hub.ts";
import { messagePage } from "./message-page.ts";

const PUBLISHED = Promise.resolve();

export interface MemoryCodeQOptions<Body> extends DeadLetterOptions {
  /** Now, in epoch milliseconds. */
  clock: () => number;
  /** Where timers come from (Node's, which do not keep the process alive). */
  setTimer?: SetTimer | undefined;
  /** Where durable messages are kept; without one a durable publish is refused. */
  journal?: QueueJournal | undefined;
  /** How bodies are written to the journal (JSON). */
  codec?: BodyCodec<Body> | undefined;
  /** How late a lost lease may be noticed, in milliseconds (250). */
  leaseTickMs?: number | undefined;
  /** Non-durable dead letters kept for each topic (1,000); the oldest make room. */
  deadVolatileMax?: number | undefined;
  /** How long an expired message waits for a consumer to hear of it, or to be told of again, in milliseconds (60,000). */
  expiredHoldMs?: number | undefined;
  /** Hears of failures that no caller waits for: background writes and exceptions of consumers (nobody). */
  onError?: ((error: PlatformError) => void) | undefined;
}

/**
 * Opens the embedded queue: an index in memory, and a journal for what must survive.
 *
 * - A non-durable publish with a consumer that takes it is delivered inside the call of `publish`. Within
 *   `deliver` and `onExpired` the queue may be called; what that makes deliverable is delivered right after.
 * - A durable message is claimable when the journal has it; its lane keeps the order in which the journal
 *   confirmed. Each claim writes the next attempt to the journal without being waited for, so a message that
 *   was claimed at a crash comes back as the next attempt.
 * - Publishing, claiming and ending cost O(1), or O(log n) where other messages wait. Refused lanes cost
 *   nothing until `wake`; `wake` with a lane costs O(1), without one it asks all of them again, a slice at a time.
 *
 * @returns the queue with everything the journal holds
 * @throws CS_STORE_UNAVAILABLE or CS_STORE_READ_FAILED when the journal cannot be read
 */
export async function createMemoryCodeQ<Body, Result>(
  options: MemoryCodeQOptions<Body>,
): Promise<CodeQ<Body, Result>> {
  const { clock, journal, codec = jsonCodec<Body>(), onError: report = () => {} } = options;
  const log = journal === undefined ? undefined : new DurableLog(journal, codec);
  const engine = new Engine<Body>({
    clock,
    setTimer: options.setTimer ?? systemTimer,
    log,
    leaseTickMs: options.leaseTickMs ?? 250,
    deadVolatileMax: options.deadVolatileMax ?? 1000,
    deadLetters: options.deadLetters ?? DEAD_LETTER_BOUNDS,
    onDeadLettersDropped: options.onDeadLettersDropped ?? (() => {}),
    bytesOf: (body) => Buffer.byteLength(codec.encode(body)),
    expiredHoldMs: options.expiredHoldMs ?? 60_000,
    report,
  });
  for (const restored of inOrder((await log?.load(report)) ?? [])) engine.restore(restored);
  return memoryCodeQ(engine, log, new ReplyHub<Result>(report));
}

function memoryCodeQ<Body, Result>(
  engine: Engine<Body>,
  log: DurableLog<Body> | undefined,
  replies: ReplyHub<Result>,
): CodeQ<Body, Result> {
  let closed = false;
  return {
    isShared: false,
    lookup: {
      find: (topic, tenant, id) => Promise.resolve(engine.acknowledged(topic, tenant, id)),
      newest: (topic, filter, below, limit) =>
        Promise.resolve(messagePage(engine.open(topic, filter.tenant), filter, below, limit)),
    },
    publish(message, publishOptions) {
      if (closed) return Promise.reject(queueClosed("CS_CODEQ_PUBLISH_FAILED"));
      return publish(engine, log, message, publishOptions);
    },
    consume(consumer) {
      if (closed) return Promise.reject(queueClosed("CS_CODEQ_SUBSCRIBE_FAILED"));
      return Promise.resolve(engine.topic(consumer.topic).queue.subscribe(consumer));
    },
    async cancel(id) {
      const entry = engine.find(id);
      if (entry === undefined || !entry.isWaiting) return undefined;
      await engine.cancel(entry);
      return entry.message;
    },
    depth: (topic) => Promise.resolve(engine.topic(topic).queue.depth()),
    dead: (topic, limit) => Promise.resolve(engine.topic(topic).dead.list(limit)),
    topics: () => Promise.resolve(engine.topicNames()),
    discard: (topic, which, limit) => Promise.resolve(engine.discard(topic, which, limit)),
    deadCount: (topic) => Promise.resolve(engine.topic(topic).dead.size),
    deadPage: (topic, filter, after, limit) =>
      Promise.resolve(engine.topic(topic).dead.page(filter, after, limit)),
    findDead(topic, tenant, id) {
      const letter = engine.topic(topic).dead.find(tenant, id);
      return Promise.resolve(letter && { message: letter.entry.message, reason: letter.reason });
    },
    removeDead: (topic, tenant, id) => engine.removeDead(topic, tenant, id),
    redrive: (topic, id) => redrive(engine, topic, id),
    openReplies() {
      if (closed) return Promise.reject(queueClosed("CS_CODEQ_SUBSCRIBE_FAILED"));
      return Promise.resolve(replies.open());
    },
    reply: (address, requestId, result) => replies.reply(address, requestId, result),
    setWeight(tenant, weight) {
      if (!(weight > 0 && weight < Infinity)) {
        throw new PlatformError("CS_VALIDATION_FAILED", "A tenant's weight is a number above 0.");
      }
      engine.setWeight(tenant, weight);
    },
    check: () =>
      closed ? Promise.reject(queueClosed("CS_CODEQ_PUBLISH_FAILED")) : Promise.resolve(undefined),
    async [Symbol.asyncDispose]() {
      closed = true;
      replies.close();
      await engine.close();
    },
  };
}

function publish<Body>(
  engine: Engine<Body>,
  log: DurableLog<Body> | undefined,
  message: Message<Body>,
  { depthMax, durable, together }: PublishOptions,
): Promise<void> {
  const known = engine.find(message.id);
  // A duplicate is acknowledged when the first one is, never before.
  if (known !== undefined) return known.appended ?? PUBLISHED;
  const lane = engine.topic(message.topic).queue.lane(message.tenant, message.lane);
  if (lane.waiting(durable) >= depthMax) return Promise.reject(queueFull(lane, depthMax));
  const entry = new Entry(message, lane, durable);
  if (!durable) {
    engine.admit(entry);
    return PUBLISHED;
  }
  if (log === undefined) return Promise.reject(noJournal());
  entry.appended = engine.admitDurable(entry, log);
  return together === undefined ? entry.appended : both(entry.appended, together());
}

/** The journal has the order of publishing; the dead stand in that of their ends. */
function inOrder<Body>(restored: readonly RestoredMessage<Body>[]): RestoredMessage<Body>[] {
  const [dead = [], waiting = []] = [true, false].map((isDead) =>
    restored.filter(({ deadReason }) => (deadReason !== undefined) === isDead),
  );
  return [...waiting, ...dead.sort((a, b) => a.message.due_at_ms - b.message.due_at_ms)];
}

async function both(first: Promise<void>, second: Promise<void>): Promise<void> {
  await Promise.all([first, second]);
}

async function redrive<Body>(engine: Engine<Body>, topic: string, id: string | undefined): Promise<number> {
  const ids = id === undefined ? engine.topic(topic).dead.ids() : [id];
  const results = await Promise.allSettled(ids.map((each) => engine.redrive(topic, each)));
  const failed = results.find((result) => result.status === "rejected");
  const count = results.filter((result) => result.status === "fulfilled" && result.value).length;
  if (failed === undefined) return count;
  const message = `${count} of ${ids.length} dead letters went back; redrive again for the others.`;
  throw new PlatformError("CS_CODEQ_PUBLISH_FAILED", message, { cause: failed.reason });
}

function jsonCodec<Body>(): BodyCodec<Body> {
  return { encode: (body) => JSON.stringify(body), decode: (json) => JSON.parse(json) as Body };
}

function queueFull<Body>(lane: Lane<Body>, depthMax: number): PlatformError {
  const message = `The queue of ${lane.name} holds ${depthMax} waiting messages, as many as it may.`;
  return new PlatformError("CS_QUEUE_FULL", message, {
    retryAfterSeconds: 1,
    details: { reason: "depth", lane: lane.name, depth_max: depthMax },
  });
}

function noJournal(): PlatformError {
  const message = "This queue has no journal; publish with durable: false or open it with one.";
  return new PlatformError("CS_CODEQ_PUBLISH_FAILED", message);
}

function queueClosed(code: "CS_CODEQ_PUBLISH_FAILED" | "CS_CODEQ_SUBSCRIBE_FAILED"): PlatformError {
  return new PlatformError(code, "The queue is closed: this process is ending.");
}

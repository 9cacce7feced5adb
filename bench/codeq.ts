import { spawn } from "node:child_process";
import { once } from "node:events";
import { parseArgs } from "node:util";
import { type CodeQ, createMemoryCodeQ, type Message } from "@sous/codeq";
import { createNatsCodeQ } from "@sous/codeq/nats";
import { createRedisCodeQ } from "@sous/codeq/redis";
import { missingNats, missingRedis, startNats, startRedis } from "@sous/store/testing";

/**
 * The queue alone: messages that are published, claimed and acknowledged a second, and what a call takes there and
 * back over a reply channel. In memory, and on a Redis and a NATS server of this machine where there are any.
 */
const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "20000" },
    rounds: { type: "string", default: "3" },
    json: { type: "boolean", default: false },
    /** Only coordinates the queue at this URL, for the figures of another process. */
    coordinate: { type: "string" },
  },
});
const messages = Number(values.messages);
const rounds = Number(values.rounds);
const TOPIC = "bench";
const OPEN_MAX = 256;
const BODY = { event_json: JSON.stringify({ text: "x".repeat(400) }), reply_to: "" };

type Body = typeof BODY;
type Queue = CodeQ<Body, { status: string }>;
interface Figures {
  cycles_per_s: number;
  call_p50_us: number;
  call_p99_us: number;
  calls_per_s_64: number;
}

let serial = 0;
function messageOf(body: Body): Message<Body> {
  const nowMs = Date.now();
  const id = `${process.pid}-${++serial}`;
  const lane = `default/f${serial % 20}`;
  const times = { enqueued_at_ms: nowMs, due_at_ms: 0, expires_at_ms: nowMs + 60_000 };
  return { id, topic: TOPIC, tenant: `t_tenant${serial % 5}`, lane, body, attempt: 1, ...times };
}

const publish = (queue: Queue, message: Message<Body>): Promise<void> =>
  queue.publish(message, { depthMax: 100_000, durable: false });

/** Keeps `open` calls of `step` going until `count` are done. */
async function inParallel(count: number, open: number, step: () => Promise<void>): Promise<void> {
  let left = count;
  const run = async (): Promise<void> => {
    while (left-- > 0) await step();
  };
  await Promise.all(Array.from({ length: open }, run));
}

async function consumeAll(queue: Queue, onDone: (message: Message<Body>) => void) {
  let held = 0;
  const subscription = await queue.consume({
    topic: TOPIC,
    leaseMs: 60_000,
    capacity: () => OPEN_MAX - held,
    accepts: () => true,
    deliver(delivery) {
      held++;
      onDone(delivery.message);
      void delivery.ack().then(() => {
        if (--held === OPEN_MAX - 1) subscription.wake();
      });
    },
    onExpired() {},
  });
  return subscription;
}

async function measureCycles(queue: Queue): Promise<number> {
  let done = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const subscription = await consumeAll(queue, () => {
    if (++done === messages) resolve();
  });
  const begun = performance.now();
  await inParallel(messages, OPEN_MAX, () => publish(queue, messageOf(BODY)));
  await promise;
  const seconds = (performance.now() - begun) / 1000;
  await subscription.close();
  return messages / seconds;
}

async function measureCalls(queue: Queue, count: number, open: number): Promise<number[]> {
  await using replies = await queue.openReplies();
  const subscription = await consumeAll(queue, ({ id, body }) => {
    queue.reply(body.reply_to, id, { status: "success" });
  });
  const tookUs: number[] = [];
  await inParallel(count, open, async () => {
    const message = messageOf({ ...BODY });
    const begun = performance.now();
    const answered = new Promise((resolve) => {
      message.body.reply_to = replies.expect(message.id, resolve);
    });
    await publish(queue, message);
    await answered;
    tookUs.push((performance.now() - begun) * 1000);
  });
  await subscription.close();
  return tookUs.sort((a, b) => a - b);
}

async function measure(queue: Queue): Promise<Figures> {
  await measureCalls(queue, 500, 8);
  const alone = await measureCalls(queue, 2000, 1);
  const begun = performance.now();
  const count = Math.ceil(messages / 4);
  await measureCalls(queue, count, 64);
  const calls = count / ((performance.now() - begun) / 1000);
  const at = (share: number): number => Math.round(alone[Math.floor(alone.length * share)] ?? 0);
  const cycles = await measureCycles(queue);
  return {
    cycles_per_s: Math.round(cycles),
    call_p50_us: at(0.5),
    call_p99_us: at(0.99),
    calls_per_s_64: Math.round(calls),
  };
}

async function medianOf(open: () => Promise<Queue>): Promise<Figures> {
  const all: Figures[] = [];
  for (let round = 0; round < rounds; round++) {
    await using queue = await open();
    all.push(await measure(queue));
  }
  const median = (name: keyof Figures): number =>
    all.map((figures) => figures[name]).sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;
  return {
    cycles_per_s: median("cycles_per_s"),
    call_p50_us: median("call_p50_us"),
    call_p99_us: median("call_p99_us"),
    calls_per_s_64: median("calls_per_s_64"),
  };
}

if (values.coordinate !== undefined) {
  await createNatsCodeQ({ url: values.coordinate, clock: Date.now });
  console.log("open");
  await new Promise(() => setInterval(() => {}, 60_000));
}

/** @returns a process that has the queue before all others, and so coordinates it */
async function startCoordinator(url: string): Promise<Disposable> {
  const program = [process.argv[1] ?? "", "--coordinate", url];
  const child = spawn(process.execPath, program, { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return { [Symbol.dispose]: () => void child.kill("SIGKILL") };
}

const report: Record<string, Figures> = {};
report["memory:"] = await medianOf(() => createMemoryCodeQ({ clock: Date.now }));
const missing = missingRedis();
if (missing === undefined) {
  for (const durable of [false, true]) {
    await using redis = await startRedis({ durable });
    const name = durable ? "redis: append-only, a sync with every write" : "redis: nothing on disk";
    report[name] = await medianOf(() => createRedisCodeQ({ url: redis.url, clock: Date.now }));
  }
} else if (!values.json) console.log(missing);
const missingJetStream = missingNats();
if (missingJetStream === undefined) {
  await using nats = await startNats();
  const open = (): Promise<Queue> => createNatsCodeQ({ url: nats.url, clock: Date.now });
  report["nats: coordinated in this process"] = await medianOf(open);
  using _ = await startCoordinator(nats.url);
  report["nats: coordinated in another"] = await medianOf(open);
} else if (!values.json) console.log(missingJetStream);
if (values.json) console.log(JSON.stringify(report));
else console.table(report);

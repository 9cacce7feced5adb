import type { Message } from "@sous/codeq";
import { createRedisCodeQ } from "@sous/codeq/redis";
import { startRedis } from "@sous/store/testing";

const TOPIC = "bench";
const BODY = { event_json: JSON.stringify({ text: "x".repeat(400) }) };
const PROBES = 2000;
const OPEN = 64;

export interface QueueGrowth {
  waiting: number;
  publishes_per_s: number;
  cycles_per_s: number;
}

/** Fills a queue with the work of twenty tenants, and measures publishing and taking a few thousand more at each depth. */
export async function measureQueueGrowth(depths: readonly number[]): Promise<QueueGrowth[]> {
  await using redis = await startRedis();
  await using queue = await createRedisCodeQ<typeof BODY, null>({ url: redis.url, clock: Date.now });
  let serial = 0;
  const message = (tenant: string): Message<typeof BODY> => {
    const nowMs = Date.now();
    const times = { enqueued_at_ms: nowMs, due_at_ms: 0, expires_at_ms: nowMs + 3_600_000 };
    const id = `m-${++serial}`;
    return { id, topic: TOPIC, tenant, lane: `default/f${serial % 1000}`, body: BODY, attempt: 1, ...times };
  };
  const publish = (tenant: string): Promise<void> =>
    queue.publish(message(tenant), { depthMax: 10_000_000, durable: true });

  const growth: QueueGrowth[] = [];
  let waiting = 0;
  for (const depth of depths) {
    await inParallel(depth - waiting, 256, () => publish(tenantOf(serial)));
    waiting = depth;
    const publishedAt = performance.now();
    await inParallel(PROBES, OPEN, () => publish(tenantOf(serial)));
    const publishMs = performance.now() - publishedAt;
    growth.push({
      waiting: depth,
      publishes_per_s: perSecond(PROBES, publishMs),
      cycles_per_s: await cycle(),
    });
  }
  return growth;

  /** Takes and acknowledges as many as were put in last. */
  async function cycle(): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<void>();
    let taken = 0;
    let done = 0;
    const begunAt = performance.now();
    const subscription = await queue.consume({
      topic: TOPIC,
      leaseMs: 60_000,
      capacity: () => Math.min(256 - (taken - done), PROBES - taken),
      accepts: () => true,
      deliver(delivery) {
        taken++;
        void delivery.ack().then(() => {
          if (++done === PROBES) resolve();
          else subscription.wake();
        });
      },
      onExpired() {},
    });
    await promise;
    const tookMs = performance.now() - begunAt;
    await subscription.close();
    return perSecond(PROBES, tookMs);
  }
}

const tenantOf = (serial: number): string => `t_waits${serial % 20}`;

const perSecond = (count: number, ms: number): number => Math.round((count / ms) * 1000);

async function inParallel(count: number, open: number, step: () => Promise<void>): Promise<void> {
  let left = count;
  const run = async (): Promise<void> => {
    while (left-- > 0) await step();
  };
  await Promise.all(Array.from({ length: open }, run));
}

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { RedisLink } from "@sous/store/redis-link";
import { withRedis } from "@sous/store/testing";
import type { Delivery, Message } from "../codeq.ts";
import { RedisCodeQ } from "./redis-codeq.ts";
import { parseRedisUrl } from "./redis-url.ts";

const TOPIC = "work";
const COUNT = 40;
const START_MS = 1_800_000_000_000;
const LEASE_MS = 1000;
const OPTIONS = { durable: true, depthMax: 1000 };

/** A queue in which messages of one publish stay together, with a clock that the test moves. */
interface Fixture extends AsyncDisposable {
  readonly queue: RedisCodeQ<number, null>;
  nowMs: number;
  /** Publishes messages together: their bodies are numbers from 0, their ids in another order. */
  publish(count?: number): Promise<Message<number>[]>;
  /** @returns what lies in a structure of the shard, from outside */
  size(key: string): Promise<number>;
}

withRedis({}, (server) => {
  async function open(): Promise<Fixture> {
    const prefix = `together-${randomUUID()}:`;
    const options = {
      url: `${server().url}?prefix=${prefix}&shards=1`,
      clock: () => fixture.nowMs,
      onError: assert.fail,
    };
    const internals = { serverNow: () => fixture.nowMs, togetherBehind: 0 };
    const queue = await RedisCodeQ.open<number, null>(options, internals);
    const link = await RedisLink.open({
      address: parseRedisUrl(options.url).address,
      subject: "the test's server",
      code: "CS_CODEQ_PUBLISH_FAILED",
      blocks: false,
      random: Math.random,
      report: assert.fail,
    });
    const fixture: Fixture = {
      queue,
      nowMs: START_MS,
      async publish(count = COUNT) {
        const messages = Array.from({ length: count }, (_, body) => messageOf(body, fixture.nowMs));
        await Promise.all(messages.map((message) => queue.publish(message, OPTIONS)));
        return messages;
      },
      async size(key) {
        const isHash = ["meta", "body", "lanes"].includes(key);
        return Number(await link.send(isHash ? "HLEN" : "ZCARD", `${prefix}{${TOPIC}#0}:${key}`));
      },
      async [Symbol.asyncDispose]() {
        await queue[Symbol.asyncDispose]();
        await link[Symbol.asyncDispose]();
      },
    };
    return fixture;
  }

  const messageOf = (body: number, nowMs: number): Message<number> => ({
    id: `m${(body * 7) % COUNT}-${body}`,
    topic: TOPIC,
    tenant: "t_default",
    lane: "default/f",
    body,
    attempt: 1,
    enqueued_at_ms: nowMs,
    due_at_ms: 0,
    expires_at_ms: nowMs + 60_000,
  });

  /** Takes a number of messages, as one that has room for a few at a time. */
  async function take({ queue }: Fixture, count: number, room = 3): Promise<Delivery<number>[]> {
    const taken: Delivery<number>[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const subscription = await queue.consume({
      topic: TOPIC,
      leaseMs: LEASE_MS,
      capacity: () => Math.min(room, count - taken.length),
      accepts: () => true,
      deliver(delivery) {
        taken.push(delivery);
        if (taken.length === count) resolve();
      },
      onExpired: () => {},
    });
    await promise;
    await subscription.close();
    return taken;
  }

  const bodies = (deliveries: readonly Delivery<number>[]): number[] =>
    deliveries.map(({ message }) => message.body);
  const numbers = (from: number, to: number): number[] =>
    Array.from({ length: to - from }, (_, at) => from + at);

  test("messages published together are one record, come in order, and leave nothing behind", async () => {
    await using fixture = await open();
    await fixture.publish();
    assert.deepEqual(
      [await fixture.size("meta"), await fixture.size("body"), await fixture.size("ready")],
      [COUNT + 1, 1, 1],
    );
    assert.equal((await fixture.queue.depth(TOPIC))[0]?.ready, COUNT);
    const taken = await take(fixture, COUNT);
    assert.deepEqual(bodies(taken), numbers(0, COUNT));
    await Promise.all(taken.map((delivery) => delivery.ack()));
    for (const key of ["meta", "body", "ready", "due", "arrivals", "lanes"]) {
      assert.equal(await fixture.size(key), 0, key);
    }
  });

  test("many records, and messages alone between them, are taken in one claim as in many", async () => {
    for (const room of [1, 7, 18, 1000]) {
      await using fixture = await open();
      for (let group = 0; group < 12; group++) {
        const first = group * 10;
        const messages = numbers(first, first + 9).map((body) => messageOf(body, fixture.nowMs));
        await Promise.all(messages.map((message) => fixture.queue.publish(message, OPTIONS)));
        await fixture.queue.publish(messageOf(first + 9, fixture.nowMs), OPTIONS);
        fixture.nowMs += 1;
      }
      assert.equal(await fixture.size("ready"), 24);
      assert.deepEqual(bodies(await take(fixture, 120, room)), numbers(0, 120), `room for ${room}`);
    }
  });

  test("looking for one of them leaves them together; it is there and so are its neighbours", async () => {
    await using fixture = await open();
    const messages = await fixture.publish();
    for (const { id, body } of messages) {
      assert.equal((await fixture.queue.lookup.find(TOPIC, "t_default", id))?.body, body);
    }
    assert.equal(await fixture.queue.lookup.find(TOPIC, "t_other1", messages[0]?.id ?? ""), undefined);
    assert.equal(await fixture.size("ready"), 1);
  });

  test("one that is taken out is gone, and the others come in order", async () => {
    await using fixture = await open();
    const messages = await fixture.publish();
    const cancelled = await fixture.queue.cancel(messages[20]?.id ?? "", TOPIC);
    assert.deepEqual(cancelled, messages[20]);
    assert.equal(await fixture.queue.cancel(messages[20]?.id ?? "", TOPIC), undefined);
    assert.deepEqual(bodies(await take(fixture, COUNT - 1)), [...numbers(0, 20), ...numbers(21, COUNT)]);
  });

  test("one that is published again is dropped while it waits with the others, and the new ones are taken", async () => {
    await using fixture = await open();
    const [first] = await fixture.publish(10);
    assert.ok(first);
    await fixture.publish(14);
    await fixture.queue.publish(first, OPTIONS);
    assert.equal((await fixture.queue.depth(TOPIC))[0]?.ready, 14);
    assert.deepEqual(bodies(await take(fixture, 14)), numbers(0, 14));
  });

  test("those that were taken and not ended come back, in order and with an attempt more", async () => {
    await using fixture = await open();
    await fixture.publish();
    await take(fixture, 5);
    fixture.nowMs += LEASE_MS + 1;
    const again = await take(fixture, COUNT);
    assert.deepEqual(bodies(again), numbers(0, COUNT));
    assert.deepEqual(
      again.map(({ message }) => message.attempt),
      again.map((_, at) => (at < 5 ? 2 : 1)),
    );
  });

  test("pages of the newest hold each of them once, newest first, whatever the page", async () => {
    await using fixture = await open();
    const messages = await fixture.publish();
    fixture.nowMs += 1;
    await fixture.queue.publish({ ...messageOf(COUNT, fixture.nowMs), lane: "default/g" }, OPTIONS);
    const wanted = messages.map(({ id }) => id).toSorted((a, b) => (a < b ? 1 : -1));
    for (const limit of [1, 7, 1000]) {
      const ids: string[] = [];
      let below;
      do {
        const page = await fixture.queue.lookup.newest(
          TOPIC,
          { tenant: "t_default", lane: "default/f" },
          below,
          limit,
        );
        ids.push(...page.found.map(({ message }) => message.id));
        below = page.next;
      } while (below !== undefined);
      assert.deepEqual(ids, wanted, `pages of ${limit}`);
    }
  });

  test("records behind more messages of their moment than one call looks at are shown among them", async () => {
    await using fixture = await open();
    const { nowMs, queue } = fixture;
    const publish = (from: number, to: number, lane: string): Promise<unknown> =>
      Promise.all(
        numbers(from, to).map((body) =>
          queue.publish({ ...messageOf(body, nowMs), lane }, { ...OPTIONS, depthMax: 10_000 }),
        ),
      );
    // Three are too few for a record.
    for (let from = 0; from < 1200; from += 3) await publish(from, from + 3, "default/alone");
    await publish(1200, 1230, "default/together");
    await publish(1230, 1260, "default/together");
    assert.equal(await fixture.size("ready"), 1202);
    for (const [lane, count] of [
      ["default/together", 60],
      ["default/", 1260],
    ] as const) {
      const ids: string[] = [];
      let below;
      do {
        const page = await queue.lookup.newest(TOPIC, { tenant: "t_default", lane }, below, 100);
        ids.push(...page.found.map(({ message }) => message.id));
        below = page.next;
      } while (below !== undefined);
      assert.equal(new Set(ids).size, count);
      assert.deepEqual(
        ids,
        ids.toSorted((a, b) => (a < b ? 1 : -1)),
      );
    }
  });

  test("a page goes on from any place, and between two pages more may come together", async () => {
    await using fixture = await open();
    const { nowMs, queue } = fixture;
    const named = (ids: string): Message<number>[] =>
      ids.split("").map((id) => Object.assign(messageOf(0, nowMs), { id }));
    const publish = (ids: string): Promise<unknown> =>
      Promise.all(named(ids).map((message) => queue.publish(message, OPTIONS)));
    const pageBelow = async (id: string, limit: number): Promise<string> => {
      const place = { enqueued_at_ms: nowMs, id };
      const { found } = await queue.lookup.newest(TOPIC, { tenant: "t_default" }, place, limit);
      return found.map(({ message }) => message.id).join("");
    };
    await publish("acegik");
    assert.equal(await pageBelow("h", 2), "ge");
    await publish("bdfhj");
    assert.equal(await pageBelow("e", 10), "dcba");
    assert.equal(await pageBelow("z", 10), "kjihgfedcb");
    assert.equal(await fixture.size("ready"), 2, "who reads takes nothing apart");
  });

  test("a late end of a message that was published again with others finds nothing", async () => {
    await using fixture = await open();
    await fixture.publish(1);
    const [late] = await take(fixture, 1);
    await late?.ack();
    await fixture.publish();
    await late?.ack();
    assert.equal((await fixture.queue.depth(TOPIC))[0]?.ready, COUNT);
    assert.equal(await fixture.size("ready"), 1);
  });

  test("those that are too old are told one by one, and go unheard where nobody consumes", async () => {
    await using fixture = await open();
    await fixture.publish();
    fixture.nowMs += 60_001;
    assert.equal(await fixture.queue.discard(TOPIC, "expired", 15), 15);
    const heard: number[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    await fixture.queue.consume({
      topic: TOPIC,
      leaseMs: LEASE_MS,
      capacity: () => 1,
      accepts: () => true,
      deliver: () => assert.fail("they are too old"),
      onExpired: ({ body }) => {
        heard.push(body);
        if (heard.length === COUNT - 15) resolve();
      },
    });
    await promise;
    assert.equal(new Set(heard).size, COUNT - 15);
  });

  test("a server without memory shows them and gives them back as well", async () => {
    await using fixture = await open();
    await fixture.publish();
    await server().configure("maxmemory", "1mb");
    try {
      const page = await fixture.queue.lookup.newest(TOPIC, { tenant: "t_default" }, undefined, 5);
      assert.equal(page.found.length, 5);
      assert.equal(await fixture.size("ready"), 1, "to be read they need no memory");
      assert.deepEqual(bodies(await take(fixture, COUNT)), numbers(0, COUNT));
    } finally {
      await server().configure("maxmemory", "0");
    }
  });

  test("few, those that wait for nobody, and those of another moment are records of their own", async () => {
    await using fixture = await open();
    await fixture.publish(3);
    const volatile = { ...OPTIONS, durable: false };
    const others = numbers(3, 13).map((body) => messageOf(body, fixture.nowMs));
    await Promise.all(others.map((message) => fixture.queue.publish(message, volatile)));
    const due_at_ms = fixture.nowMs + 10;
    const delayed = numbers(13, 23).map((body) =>
      Object.assign(messageOf(body, fixture.nowMs), { due_at_ms }),
    );
    await Promise.all(delayed.map((message) => fixture.queue.publish(message, OPTIONS)));
    assert.equal(await fixture.size("body"), 23);
  });
});

import assert from "node:assert/strict";
import test from "node:test";
import type { Message } from "../codeq.ts";
import { assertFull, type ContractBody, type ContractCodeQ, message, startProbe, unique } from "./harness.ts";

/** The bound of a lane, and what the depth report counts. */
export function depthContract(open: () => Promise<ContractCodeQ>): void {
  test("a lane takes as many waiting messages as the publisher allows", async () => {
    await using queue = await open();
    const topic = unique("topic");
    const options = { depthMax: 2, durable: false };
    await queue.publish(message(topic, "a"), options);
    await queue.publish(message(topic, "b", { due_at_ms: Date.now() + 60_000 }), options);
    await assertFull(queue.publish(message(topic, "c"), options));
    await queue.publish(message(topic, "other lane", { lane: "default/other" }), options);
    await queue.publish(message(topic, "other tenant", { tenant: "t_other1" }), options);
  });

  test("a durable publish calls its own write once, and none for a message that is refused or dropped", async () => {
    await using queue = await open();
    const topic = unique("topic");
    let calls = 0;
    const together = async (): Promise<void> => {
      calls++;
    };
    const options = { depthMax: 1, durable: true, together };
    const first = message(topic, "one");
    await queue.publish(first, options);
    assert.equal(calls, 1);
    await queue.publish(first, options);
    assert.equal(calls, 1, "a duplicate");
    await assertFull(queue.publish(message(topic, "two"), options));
    assert.equal(calls, 1, "refused");
  });

  test("a durable publish waits for its own write, and fails with it", async () => {
    await using queue = await open();
    const topic = unique("topic");
    const together = () => Promise.reject(new RangeError("no"));
    await assert.rejects(
      queue.publish(message(topic, "one"), { depthMax: 9, durable: true, together }),
      RangeError,
    );
  });

  test("durable and non-durable messages of a lane are counted apart", async () => {
    await using queue = await open();
    const topic = unique("topic");
    for (const durable of [false, true]) {
      await queue.publish(message(topic, "one"), { depthMax: 1, durable });
      await assertFull(queue.publish(message(topic, "two"), { depthMax: 1, durable }));
    }
  });

  test("many durable publishes at once keep the bound", async () => {
    await using queue = await open();
    const topic = unique("topic");
    const published = Array.from({ length: 30 }, (_, index) =>
      queue.publish(message(topic, `m${index}`), { depthMax: 10, durable: true }),
    );
    const results = await Promise.allSettled(published);
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 10);
  });

  test("what is published in one turn is taken each on its own terms, in order", async () => {
    await using queue = await open();
    const topic = unique("topic");
    const nowMs = Date.now();
    const alike = { enqueued_at_ms: nowMs, expires_at_ms: nowMs + 60_000 };
    const sent = (text: string, fields: Partial<Message<ContractBody>> = {}) =>
      message(topic, text, { ...alike, ...fields });
    const twin = sent("a1");
    const later = { due_at_ms: nowMs + 60_000 };
    const other = { lane: "default/other" };
    const results = await Promise.allSettled(
      [
        twin,
        sent("a2"),
        { ...twin },
        sent("a3", later),
        sent("b1", other),
        sent("b2", other),
        sent("a4"),
        sent("a5"),
        sent("b3", other),
      ].map((each) => queue.publish(each, { depthMax: each.lane === other.lane ? 2 : 4, durable: false })),
    );
    assert.deepEqual(
      results.map(({ status }) => status === "fulfilled"),
      [true, true, true, true, true, true, true, false, false],
    );
    const depths = (await queue.depth(topic)).sort((a, b) => a.lane.localeCompare(b.lane));
    assert.deepEqual(depths, [
      { tenant: "t_first1", lane: "default/first", ready: 3, delayed: 1, claimed: 0 },
      { tenant: "t_first1", lane: "default/other", ready: 2, delayed: 0, claimed: 0 },
    ]);
    const probe = await startProbe(queue, { topic });
    const texts = await probe.drain(5);
    assert.deepEqual(
      texts.filter((text) => text.startsWith("a")),
      ["a1", "a2", "a4"],
    );
    assert.deepEqual(
      texts.filter((text) => text.startsWith("b")),
      ["b1", "b2"],
    );
  });

  test("a claimed message gives its place free", async () => {
    await using queue = await open();
    const topic = unique("topic");
    const options = { depthMax: 1, durable: true };
    await queue.publish(message(topic, "a"), options);
    const probe = await startProbe(queue, { topic });
    await probe.next();
    await queue.publish(message(topic, "b"), options);
    await assertFull(queue.publish(message(topic, "c"), options));
  });

  test("a retry passes the bound and counts in it", async () => {
    await using queue = await open();
    const topic = unique("topic");
    const options = { depthMax: 1, durable: false };
    await queue.publish(message(topic, "a"), options);
    const probe = await startProbe(queue, { topic });
    const delivery = await probe.next();
    await queue.publish(message(topic, "b"), options);
    probe.slots = 0;
    await delivery.nack(0);
    assert.equal((await queue.depth(topic))[0]?.ready, 2);
    await assertFull(queue.publish(message(topic, "c"), { depthMax: 2, durable: false }));
    probe.held = 0;
    probe.resize(1);
    assert.deepEqual(await probe.drain(2), ["a", "b"]);
  });

  test("the depth report tells ready, delayed and claimed of each lane", async () => {
    await using queue = await open();
    const topic = unique("topic");
    const options = { depthMax: 10, durable: false };
    await queue.publish(message(topic, "a"), options);
    const probe = await startProbe(queue, { topic });
    await probe.next();
    await queue.publish(message(topic, "b"), options);
    await queue.publish(message(topic, "c", { due_at_ms: Date.now() + 60_000 }), options);
    await queue.publish(message(topic, "d", { tenant: "t_other1", lane: "default/other" }), options);
    const depths = (await queue.depth(topic)).sort((a, b) => a.tenant.localeCompare(b.tenant));
    assert.deepEqual(depths, [
      { tenant: "t_first1", lane: "default/first", ready: 1, delayed: 1, claimed: 1 },
      { tenant: "t_other1", lane: "default/other", ready: 1, delayed: 0, claimed: 0 },
    ]);
    assert.deepEqual(await queue.depth(unique("topic")), []);
  });
}

import assert from "node:assert/strict";
import test from "node:test";
import { type ContractCodeQ, eventually, message, publishAll, startProbe, unique } from "./harness.ts";

/** Order within a lane, delays, age, duplicates, cancelling. */
export function orderContract(open: () => Promise<ContractCodeQ>): void {
  const free = { depthMax: 1000, durable: false };

  test("a lane is first in, first out", async () => {
    await using queue = await open();
    const topic = unique("topic");
    const texts = Array.from({ length: 20 }, (_, index) => `m${index}`);
    await publishAll(queue, topic, texts);
    const probe = await startProbe(queue, { topic });
    assert.deepEqual(await probe.drain(20), texts);
    await probe.quiet();
  });

  test("a message carries what was published", async () => {
    await using queue = await open();
    const sent = message(unique("topic"), "hello", { lane: "default/other", tenant: "t_second" });
    const probe = await startProbe(queue, { topic: sent.topic, leaseMs: 60_000 });
    await queue.publish(sent, { depthMax: 1, durable: true });
    const delivery = await probe.next();
    assert.deepEqual(delivery.message, sent);
    assert.ok(delivery.leaseUntilMs > Date.now());
    await delivery.ack();
  });

  test("topics are apart", async () => {
    await using queue = await open();
    const [here, there] = [unique("topic"), unique("topic")];
    const probe = await startProbe(queue, { topic: here });
    await publishAll(queue, there, ["elsewhere"]);
    await publishAll(queue, here, ["here"]);
    assert.equal(await probe.done(), "here");
    await probe.quiet();
  });

  test("a nacked message comes back first, as the next attempt", async () => {
    await using queue = await open();
    const topic = unique("topic");
    await publishAll(queue, topic, ["a", "b", "c"]);
    const probe = await startProbe(queue, { topic });
    const first = await probe.next();
    await first.nack(0);
    probe.release();
    const again = await probe.next();
    assert.equal(again.message.id, first.message.id);
    assert.equal(again.message.attempt, 2);
    assert.equal(first.message.attempt, 1);
    await again.ack();
    probe.release();
    assert.deepEqual(await probe.drain(2), ["b", "c"]);
  });

  test("a released message comes back first, as the same attempt", async () => {
    await using queue = await open();
    const topic = unique("topic");
    await publishAll(queue, topic, ["a", "b"]);
    const probe = await startProbe(queue, { topic });
    const first = await probe.next();
    await first.release();
    probe.release();
    const again = await probe.next();
    assert.equal(again.message.id, first.message.id);
    assert.equal(again.message.attempt, 1);
    await again.ack();
  });

  test("a nack with a delay lets the lane go on and is kept until it is due", async () => {
    await using queue = await open();
    const topic = unique("topic");
    await publishAll(queue, topic, ["a", "b", "c"]);
    const probe = await startProbe(queue, { topic });
    const first = await probe.next();
    const nackedAtMs = Date.now();
    await first.nack(400);
    probe.release();
    assert.equal(await probe.done(), "b");
    assert.equal(await probe.done(), "c");
    assert.equal((await queue.depth(topic))[0]?.delayed, 1);
    assert.equal(await probe.done(), "a");
    assert.ok(Date.now() - nackedAtMs >= 390, "not before it was due");
  });

  test("a message due later waits for its moment", async () => {
    await using queue = await open();
    const topic = unique("topic");
    const probe = await startProbe(queue, { topic });
    const dueAtMs = Date.now() + 400;
    await queue.publish(message(topic, "later", { due_at_ms: dueAtMs }), free);
    await queue.publish(message(topic, "now"), free);
    assert.equal(await probe.done(), "now");
    assert.equal(await probe.done(), "later");
    assert.ok(Date.now() >= dueAtMs - 10, "not before it was due");
  });

  test("a message that is too old goes to onExpired, wherever it waits", async () => {
    await using queue = await open();
    const topic = unique("topic");
    const probe = await startProbe(queue, { topic });
    await publishAll(queue, topic, ["held", "kept"]);
    const held = await probe.next();
    const old = message(topic, "old", { expires_at_ms: Date.now() + 300 });
    await queue.publish(old, free);
    const late = message(topic, "late", { expires_at_ms: Date.now() + 300, due_at_ms: Date.now() + 60_000 });
    await queue.publish(late, free);
    await eventually("both expire while the consumer is busy", () => probe.expired.length === 2);
    assert.deepEqual(probe.expired.map(({ id }) => id).sort(), [old.id, late.id].sort());
    await held.ack();
    probe.release();
    assert.equal(await probe.done(), "kept");
    await probe.quiet();
  });

  test("a message too old at publishing expires as well", async () => {
    await using queue = await open();
    const topic = unique("topic");
    const probe = await startProbe(queue, { topic });
    const old = message(topic, "old", { expires_at_ms: Date.now() - 1 });
    await queue.publish(old, { depthMax: 10, durable: true });
    await eventually("it expires", () => probe.expired.length === 1);
    assert.equal(probe.expired[0]?.id, old.id);
    await probe.quiet();
    assert.deepEqual(await queue.depth(topic), []);
  });

  test("a duplicate is dropped while the first is queued, claimed or dead, and welcome afterwards", async () => {
    await using queue = await open();
    const topic = unique("topic");
    const twin = message(topic, "twin");
    await queue.publish(twin, free);
    await queue.publish({ ...twin }, free);
    const probe = await startProbe(queue, { topic, slots: 4 });
    const delivery = await probe.next();
    await queue.publish({ ...twin }, free);
    await probe.quiet();
    await delivery.ack();
    probe.release();
    await queue.publish({ ...twin }, free);
    const again = await probe.next();
    assert.equal(again.message.id, twin.id);
    await again.deadLetter("broken");
    probe.release();
    await queue.publish({ ...twin }, free);
    await probe.quiet();
    assert.equal((await queue.dead(topic, 10)).length, 1);
  });

  for (const durable of [false, true]) {
    test(`a ${durable ? "durable" : "non-durable"} message is cancelled before it is claimed`, async () => {
      await using queue = await open();
      const topic = unique("topic");
      const [first, second, later] = [message(topic, "a"), message(topic, "b"), message(topic, "c")];
      later.due_at_ms = Date.now() + 60_000;
      for (const sent of [first, second, later]) await queue.publish(sent, { depthMax: 10, durable });
      assert.deepEqual((await queue.cancel(second.id))?.body, second.body);
      assert.equal((await queue.cancel(later.id))?.id, later.id);
      assert.equal(await queue.cancel(second.id), undefined);
      assert.equal(await queue.cancel(unique("unknown")), undefined);
      const probe = await startProbe(queue, { topic });
      const delivery = await probe.next();
      assert.equal(delivery.message.id, first.id);
      assert.equal(await queue.cancel(first.id), undefined, "a claimed message is not waiting");
      await delivery.ack();
      probe.release();
      await probe.quiet();
      assert.deepEqual(await queue.depth(topic), []);
    });
  }
}

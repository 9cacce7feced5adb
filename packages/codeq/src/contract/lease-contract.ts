import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type ContractCodeQ, eventually, publishAll, startProbe, unique } from "./harness.ts";

/** Leases, and that a delivery ends once. */
export function leaseContract(open: () => Promise<ContractCodeQ>): void {
  test("a lost lease brings the message back first, as the next attempt", async () => {
    await using queue = await open();
    const topic = unique("topic");
    await publishAll(queue, topic, ["a", "b"]);
    const probe = await startProbe(queue, { topic, leaseMs: 300 });
    const first = await probe.next();
    const leaseUntilMs = first.leaseUntilMs;
    await eventually("it waits again", async () => (await queue.depth(topic))[0]?.ready === 2);
    assert.ok(Date.now() >= leaseUntilMs - 10, "not before the lease ended");
    probe.release();
    const again = await probe.next();
    assert.equal(again.message.id, first.message.id);
    assert.equal(again.message.attempt, 2);
    await again.ack();
  });

  test("the holder of a lost lease cannot end the message", async () => {
    await using queue = await open();
    const topic = unique("topic");
    await publishAll(queue, topic, ["a"]);
    const slow = await startProbe(queue, { topic, leaseMs: 300 });
    const lost = await slow.next();
    await slow.subscription.close();
    const probe = await startProbe(queue, { topic });
    const again = await probe.next();
    assert.equal(await lost.extend(60_000), false);
    await lost.ack();
    await lost.deadLetter("too late");
    await lost.nack(0);
    assert.deepEqual(await queue.dead(topic, 10), []);
    assert.equal((await queue.depth(topic))[0]?.claimed, 1, "the second holder still has it");
    assert.equal(await again.extend(60_000), true);
    await again.nack(0);
    probe.release();
    assert.equal((await probe.next()).message.attempt, 3);
  });

  test("an extended lease is kept", async () => {
    await using queue = await open();
    const topic = unique("topic");
    await publishAll(queue, topic, ["a"]);
    const probe = await startProbe(queue, { topic, slots: 2, leaseMs: 2000 });
    const delivery = await probe.next();
    assert.equal(await delivery.extend(60_000), true);
    await sleep(2600);
    await probe.quiet();
    assert.equal(await delivery.extend(60_000), true);
    await delivery.ack();
    assert.equal(await delivery.extend(60_000), false, "an ended delivery has no lease");
  });

  test("only the first end of a delivery counts", async () => {
    await using queue = await open();
    const topic = unique("topic");
    const probe = await startProbe(queue, { topic });

    await publishAll(queue, topic, ["acknowledged"]);
    const acked = await probe.next();
    await acked.ack();
    await acked.nack(0);
    await acked.deadLetter("no");
    probe.release();
    await probe.quiet();
    assert.deepEqual(await queue.dead(topic, 10), []);

    await publishAll(queue, topic, ["buried"]);
    const buried = await probe.next();
    await buried.deadLetter("first");
    await buried.deadLetter("second");
    await buried.nack(0);
    await buried.ack();
    probe.release();
    await probe.quiet();
    const dead = await queue.dead(topic, 10);
    assert.deepEqual(
      dead.map(({ reason }) => reason),
      ["first"],
    );

    await publishAll(queue, topic, ["returned"]);
    const nacked = await probe.next();
    await nacked.nack(0);
    await nacked.ack();
    await nacked.nack(0);
    probe.release();
    assert.equal((await probe.next()).message.attempt, 2);
    await probe.quiet();
  });
}

import assert from "node:assert/strict";
import test from "node:test";
import { assertFull, eventually, message, type OpenCodeQ, startProbe, unique } from "./harness.ts";

/** What becomes of messages that nobody consumes. */
export function discardContract(open: OpenCodeQ): void {
  for (const durable of [false, true]) {
    test(`a topic that nobody consumes lets go of what is too old, and is not full any more (${durable ? "durable" : "non-durable"})`, async () => {
      await using queue = await open();
      const topic = unique("topic");
      const options = { depthMax: 3, durable };
      const expires_at_ms = Date.now() + 300;
      const dueSoon = { due_at_ms: Date.now() + 200 };
      await queue.publish(message(topic, "young", dueSoon), options);
      await queue.publish(message(topic, "a", { expires_at_ms }), options);
      await queue.publish(message(topic, "b", { expires_at_ms, due_at_ms: Date.now() + 60_000 }), options);
      await queue.publish(message(topic, "c", { expires_at_ms, tenant: "t_other1" }), options);
      await assertFull(queue.publish(message(topic, "d"), options));
      let went = 0;
      await eventually("what is too old goes, one at a time", async () => {
        const count = await queue.discard(topic, "expired", 1);
        assert.ok(count <= 1, `${count} are more than were asked for`);
        return (went += count) === 3;
      });
      assert.equal(await queue.discard(topic, "expired", 10), 0, "the rest is young");
      await queue.publish(message(topic, "d"), options);
      await queue.publish(message(topic, "e"), options);
      const probe = await startProbe(queue, { topic });
      assert.deepEqual((await probe.drain(3)).sort(), ["d", "e", "young"]);
      assert.deepEqual(probe.expired, [], "nobody hears of what was let go of");
    });
  }

  test("everything that waits in a topic goes, and nothing that is claimed or lies elsewhere", async () => {
    await using queue = await open();
    const [topic, other] = [unique("topic"), unique("topic")];
    const options = { depthMax: 300, durable: true };
    const probe = await startProbe(queue, { topic });
    await queue.publish(message(topic, "held"), options);
    const held = await probe.next();
    const texts = Array.from({ length: 250 }, (_, index) => `m${index}`);
    await Promise.all(texts.map((text) => queue.publish(message(topic, text), options)));
    await queue.publish(message(topic, "later", { due_at_ms: Date.now() + 60_000 }), options);
    const kept = message(other, "kept");
    await queue.publish(kept, options);
    assert.ok((await queue.topics()).includes(topic));
    assert.equal(await queue.discard(topic, "all", 200), 200);
    assert.equal(await queue.discard(topic, "all", 200), 51);
    assert.equal(await queue.discard(topic, "all", 200), 0);
    const depths = await queue.depth(topic);
    assert.deepEqual(
      depths.map(({ ready, delayed, claimed }) => [ready, delayed, claimed]),
      [[0, 0, 1]],
    );
    await held.ack();
    probe.release();
    await queue.publish(message(topic, "next"), options);
    assert.equal(await probe.done(), "next");
    assert.equal((await queue.cancel(kept.id, other))?.id, kept.id);
  });
}

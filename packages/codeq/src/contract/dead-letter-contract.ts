import assert from "node:assert/strict";
import test from "node:test";
import { type ContractCodeQ, message, startProbe, unique } from "./harness.ts";

/** The dead-letter queue and the way back. */
export function deadLetterContract(open: () => Promise<ContractCodeQ>): void {
  for (const durable of [false, true]) {
    const kind = durable ? "durable" : "non-durable";

    test(`${kind} dead letters are listed with their reasons, oldest first`, async () => {
      await using queue = await open();
      const topic = unique("topic");
      for (const text of ["a", "b", "c"])
        await queue.publish(message(topic, text), { depthMax: 10, durable });
      const probe = await startProbe(queue, { topic });
      for (let count = 0; count < 3; count++) {
        const delivery = await probe.next();
        await delivery.deadLetter(`broken ${delivery.message.body.text}`);
        probe.release();
      }
      const dead = await queue.dead(topic, 10);
      assert.deepEqual(
        dead.map((letter) => [letter.message.body.text, letter.reason]),
        [
          ["a", "broken a"],
          ["b", "broken b"],
          ["c", "broken c"],
        ],
      );
      assert.equal((await queue.dead(topic, 2)).length, 2);
      assert.deepEqual(await queue.dead(unique("topic"), 10), []);
      assert.deepEqual(await queue.depth(topic), [], "the dead do not count as depth");
    });

    test(`${kind} dead letters go back one by one or together, as attempt 1`, async () => {
      await using queue = await open();
      const topic = unique("topic");
      const probe = await startProbe(queue, { topic, slots: 3 });
      const ids: string[] = [];
      for (const text of ["a", "b", "c"]) {
        await queue.publish(message(topic, text), { depthMax: 10, durable });
        const first = await probe.next();
        await first.nack(0);
        probe.release();
        const delivery = await probe.next();
        assert.equal(delivery.message.attempt, 2);
        ids.push(delivery.message.id);
        await delivery.deadLetter("twice");
        probe.release();
      }
      assert.equal(await queue.redrive(topic, ids[1]), 1);
      const back = await probe.next();
      assert.equal(back.message.id, ids[1]);
      assert.equal(back.message.attempt, 1);
      await back.ack();
      probe.release();
      assert.equal(await queue.redrive(topic, ids[1]), 0, "it is not dead any more");
      assert.equal(await queue.redrive(topic), 2);
      assert.deepEqual((await probe.drain(2)).sort(), ["a", "c"]);
      assert.equal(await queue.redrive(topic), 0);
      assert.deepEqual(await queue.dead(topic, 10), []);
      await probe.quiet();
    });

    test(`a ${kind} dead letter older than its message was allowed to grow gets its time anew`, async () => {
      await using queue = await open();
      const topic = unique("topic");
      const nowMs = Date.now();
      // A hundred seconds to live, most of them used up when it is buried; back, it has all of them again.
      const sent = message(topic, "old", { enqueued_at_ms: nowMs - 80_000, expires_at_ms: nowMs + 20_000 });
      await queue.publish(sent, { depthMax: 10, durable });
      const probe = await startProbe(queue, { topic });
      await (await probe.next()).deadLetter("broken");
      probe.release();
      assert.equal(await queue.redrive(topic, sent.id), 1);
      const back = await probe.next();
      assert.ok(back.message.expires_at_ms >= nowMs + 100_000);
      await back.ack();
    });
  }
}

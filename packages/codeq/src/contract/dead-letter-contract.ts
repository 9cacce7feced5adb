import assert from "node:assert/strict";
import test from "node:test";
import { type ContractCodeQ, eventually, message, startProbe, unique } from "./harness.ts";

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

    test(`an expired ${kind} message becomes a dead letter where its consumer says why`, async () => {
      await using queue = await open();
      const topic = unique("topic");
      const [waits, late, gone] = ["waits", "late", "gone"].map((text) => message(topic, text));
      assert.ok(waits && late && gone);
      waits.expires_at_ms = gone.expires_at_ms = Date.now() + 300;
      // Too old when it is published.
      late.expires_at_ms = Date.now() - 1;
      const heard = Promise.withResolvers<void>();
      const probe = await startProbe(queue, {
        topic,
        slots: 0,
        async onExpired({ body }) {
          await heard.promise;
          return body.text === "gone" ? undefined : `too old: ${body.text}`;
        },
      });
      for (const each of [waits, late, gone]) await queue.publish(each, { depthMax: 10, durable });
      await eventually("all expire", () => probe.expired.length === 3);
      assert.deepEqual(await queue.dead(topic, 10), [], "not before the consumer has said so");
      await queue.publish({ ...waits, expires_at_ms: Date.now() + 60_000 }, { depthMax: 10, durable });
      assert.deepEqual(await queue.depth(topic), [], "its id is taken as long");
      heard.resolve();
      await eventually("they are dead", async () => (await queue.dead(topic, 10)).length === 2);
      const letters = (await queue.dead(topic, 10)).map(({ message: { id }, reason }) => [id, reason]);
      assert.deepEqual(
        letters.sort(),
        [
          [waits.id, "too old: waits"],
          [late.id, "too old: late"],
        ].sort(),
      );
      const beforeMs = Date.now();
      assert.equal(await queue.redrive(topic, waits.id), 1);
      probe.resize(1);
      const back = await probe.next();
      assert.deepEqual([back.message.id, back.message.attempt], [waits.id, 1]);
      assert.ok(back.message.expires_at_ms > beforeMs - 1000);
      await back.ack();
      await queue.publish({ ...gone, expires_at_ms: Date.now() + 60_000 }, { depthMax: 10, durable });
      probe.release();
      assert.equal(await probe.done(), "gone", "the id of what is gone is free");
      assert.equal(probe.expired.length, 3, "each is told of once");
    });

    test(`${kind} dead letters are paged for their tenant and lane, read and taken away one by one`, async () => {
      await using queue = await open();
      const topic = unique("topic");
      const probe = await startProbe(queue, { topic, slots: 20 });
      const beforeMs = Date.now();
      const bury = async (text: string, fields: { tenant: string; lane: string }): Promise<string> => {
        const sent = message(topic, text, fields);
        await queue.publish(sent, { depthMax: 100, durable });
        await (await probe.next()).deadLetter(`broken ${text}`);
        probe.release();
        return sent.id;
      };
      const mine = { tenant: "t_first1", lane: "default/first" };
      const ids: string[] = [];
      for (const text of ["a", "b", "c"]) {
        ids.push(await bury(text, mine));
        await bury(`other ${text}`, { tenant: "t_other1", lane: "default/first" });
      }
      const second = await bury("d", { tenant: "t_first1", lane: "default/second" });
      await bury("e", { tenant: "t_first1", lane: "elsewhere/first" });

      const page = await queue.deadPage(topic, mine, 0, 2);
      assert.deepEqual(
        page.map(({ id, lane, attempt, reason }) => [id, lane, attempt, reason]),
        [
          [ids[0], "default/first", 1, "broken a"],
          [ids[1], "default/first", 1, "broken b"],
        ],
      );
      for (const { dead_at_ms, enqueued_at_ms } of page) {
        assert.ok(dead_at_ms >= beforeMs - 1000 && dead_at_ms <= Date.now() + 1000, String(dead_at_ms));
        assert.ok(enqueued_at_ms >= beforeMs);
      }
      const rest = await queue.deadPage(topic, mine, page[1]?.at ?? 0, 2);
      assert.deepEqual(
        rest.map(({ id }) => id),
        [ids[2]],
      );
      assert.deepEqual(await queue.deadPage(topic, mine, rest[0]?.at ?? 0, 2), []);
      const all = await queue.deadPage(topic, { tenant: "t_first1", lane: "default/" }, 0, 10);
      assert.deepEqual(
        all.map(({ id }) => id),
        [...ids, second],
      );

      const [first = "", next = ""] = ids;
      const found = await queue.findDead(topic, "t_first1", first);
      assert.deepEqual([found?.message.body.text, found?.reason], ["a", "broken a"]);
      assert.equal(await queue.findDead(topic, "t_other1", first), undefined, "another tenant has it not");
      assert.equal(await queue.removeDead(topic, "t_other1", first), false);
      assert.equal(await queue.removeDead(topic, "t_first1", first), true);
      assert.equal(await queue.removeDead(topic, "t_first1", first), false);
      assert.equal(await queue.findDead(topic, "t_first1", first), undefined);
      assert.equal(await queue.redrive(topic, first), 0, "what was taken away does not come back");
      assert.equal(await queue.redrive(topic, next), 1);
      assert.equal(await probe.done(), "b");
      assert.equal((await queue.deadPage(topic, mine, 0, 10)).length, 1);
      // Its id is free again.
      await queue.publish(message(topic, "again", { id: first }), { depthMax: 10, durable });
      assert.equal(await probe.done(), "again");
    });
  }
}

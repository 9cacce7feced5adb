import assert from "node:assert/strict";
import test from "node:test";
import type { MessageLookup, MessageFilter, MessagePlace } from "../codeq.ts";
import { type ContractBody, type ContractCodeQ, eventually, message, startProbe, unique } from "./harness.ts";

const DURABLE = { depthMax: 10_000, durable: true };

function lookupOf({ lookup }: ContractCodeQ): MessageLookup<ContractBody> {
  assert.ok(lookup, "this driver can look messages up");
  return lookup;
}

/** Finding messages that wait, for drivers that can. */
export function lookupContract(open: () => Promise<ContractCodeQ>): void {
  test("a durable message is found by its tenant while it waits and while it is claimed", async () => {
    await using queue = await open();
    const lookup = lookupOf(queue);
    const topic = unique("topic");
    const sent = message(topic, "a", { lane: "default/found" });
    const later = message(topic, "b", { due_at_ms: Date.now() + 3_600_000 });
    const volatile = message(topic, "c", { lane: "default/volatile" });
    await queue.publish(sent, DURABLE);
    await queue.publish(later, DURABLE);
    await queue.publish(volatile, { ...DURABLE, durable: false });
    assert.deepEqual(await lookup.find(topic, sent.tenant, sent.id), sent);
    assert.equal((await lookup.find(topic, later.tenant, later.id))?.due_at_ms, later.due_at_ms);
    assert.equal(await lookup.find(topic, volatile.tenant, volatile.id), undefined);
    assert.equal(await lookup.find(topic, "t_other1", sent.id), undefined);
    assert.equal(await lookup.find(unique("topic"), sent.tenant, sent.id), undefined);
    assert.equal(await lookup.find(topic, sent.tenant, unique("msg")), undefined);

    const probe = await startProbe(queue, { topic, accepts: ({ lane }) => lane === "default/found" });
    const delivery = await probe.next();
    assert.equal((await lookup.find(topic, sent.tenant, sent.id))?.attempt, 1);
    await delivery.nack(3_600_000);
    probe.release();
    assert.equal((await lookup.find(topic, sent.tenant, sent.id))?.attempt, 2);
    await queue.cancel(sent.id, topic);
    assert.equal(await lookup.find(topic, sent.tenant, sent.id), undefined);
  });

  test("what has ended or is dead is not found", async () => {
    await using queue = await open();
    const lookup = lookupOf(queue);
    const topic = unique("topic");
    const [done, dead] = [message(topic, "done"), message(topic, "dead")];
    await queue.publish(done, DURABLE);
    await queue.publish(dead, DURABLE);
    const probe = await startProbe(queue, { topic });
    await (await probe.next()).ack();
    probe.release();
    await (await probe.next()).deadLetter("broken");
    probe.release();
    for (const { tenant, id } of [done, dead]) assert.equal(await lookup.find(topic, tenant, id), undefined);
    assert.deepEqual(await lookup.newest(topic, { tenant: done.tenant }, undefined, 10), { found: [] });
  });

  test("messages are paged newest first, by tenant, namespace and lane", async () => {
    await using queue = await open();
    const lookup = lookupOf(queue);
    const topic = unique("topic");
    const startMs = Date.now() - 100_000;
    const sent = Array.from({ length: 40 }, (_, n) =>
      message(topic, `m${n}`, {
        lane: ["default/one", "default/two", "elsewhere/one"][n % 3] as string,
        // Several of a moment, some that are not due yet, and an order that is not that of their coming.
        enqueued_at_ms: startMs + Math.floor(((n * 17) % 40) / 3),
        due_at_ms: n % 4 === 0 ? Date.now() + 3_600_000 : 0,
      }),
    );
    for (const each of sent) await queue.publish(each, DURABLE);
    await queue.publish(message(topic, "theirs", { tenant: "t_other1" }), DURABLE);
    const expected = sent.toSorted((a, b) => b.enqueued_at_ms - a.enqueued_at_ms || (a.id < b.id ? 1 : -1));
    const walk = async (filter: MessageFilter, limit: number): Promise<string[]> => {
      const texts: string[] = [];
      let below: MessagePlace | undefined;
      for (let pages = 0; pages < 100; pages++) {
        const page = await lookup.newest(topic, filter, below, limit);
        assert.ok(page.found.length <= limit);
        texts.push(...page.found.map(({ message: { body } }) => body.text));
        if (page.next === undefined) return texts;
        below = page.next;
      }
      return assert.fail("a walk ends");
    };
    const textsOf = (isMeant: (lane: string) => boolean): string[] =>
      expected.filter(({ lane }) => isMeant(lane)).map(({ body }) => body.text);
    const tenant = "t_first1";
    for (const limit of [1, 7, 40, 100]) {
      assert.deepEqual(
        await walk({ tenant }, limit),
        textsOf(() => true),
        `all, ${limit} a page`,
      );
      assert.deepEqual(
        await walk({ tenant, lane: "default/" }, limit),
        textsOf((lane) => lane.startsWith("default/")),
      );
      assert.deepEqual(
        await walk({ tenant, lane: "default/one" }, limit),
        textsOf((lane) => lane === "default/one"),
      );
    }
    assert.deepEqual(await walk({ tenant, lane: "default/on" }, 10), []);
    assert.deepEqual(await walk({ tenant: "t_other1" }, 10), ["theirs"]);
  });

  test("a list tells what was delivered before, until it has ended or is dead", async () => {
    await using queue = await open();
    const lookup = lookupOf(queue);
    const topic = unique("topic");
    const tenant = "t_first1";
    const listed = async (): Promise<string[]> => {
      const { found } = await lookup.newest(topic, { tenant }, undefined, 10);
      return found.map(({ message: { body }, wasDelivered }) => `${body.text} ${wasDelivered}`);
    };
    const nowMs = Date.now();
    for (const [at, text] of ["a", "b"].entries())
      await queue.publish(message(topic, text, { enqueued_at_ms: nowMs + at }), DURABLE);
    const volatile = message(topic, "volatile", { lane: "default/volatile" });
    await queue.publish(volatile, { ...DURABLE, durable: false });
    assert.deepEqual(await listed(), ["b false", "a false"]);
    const probe = await startProbe(queue, { topic, accepts: ({ lane }) => lane === "default/first" });
    const first = await probe.next();
    assert.deepEqual(await listed(), ["b false", "a true"]);
    probe.resize(0);
    await first.release();
    probe.release();
    await eventually("it waits as before", async () => (await listed())[1] === "a false");
    probe.resize(1);
    const second = await probe.next();
    await second.nack(3_600_000);
    probe.resize(0);
    probe.release();
    await eventually("it waits for another attempt", async () => (await listed())[1] === "a true");
    probe.resize(1);
    await (await probe.next()).deadLetter("broken");
    probe.release();
    assert.deepEqual(await listed(), ["a true"]);
    assert.equal(await queue.redrive(topic), 1);
    assert.equal(await probe.done(), "b");
    assert.deepEqual(await listed(), ["a true"]);
    await queue.cancel(second.message.id, topic);
    assert.deepEqual(await listed(), []);
    assert.deepEqual(await queue.depth(topic).then((lanes) => lanes.map(({ lane }) => lane)), [
      "default/volatile",
    ]);
  });
}

import assert from "node:assert/strict";
import test from "node:test";
import type { DeadLetterBounds } from "../dead-letter-bounds.ts";
import { type ContractCodeQ, eventually, message, type OpenCodeQ, startProbe, unique } from "./harness.ts";

const WIDE: DeadLetterBounds = { ttlMs: 3_600_000, countMax: 1000, bytesMax: 1_000_000 };

/** Counts letters of a topic that were dropped: an engine may hold others, of tests before. */
function countDropped(topic: string): {
  onDeadLettersDropped: (topic: string, count: number) => void;
  count: number;
} {
  const heard = {
    count: 0,
    onDeadLettersDropped(of: string, count: number) {
      if (of === topic) heard.count += count;
    },
  };
  return heard;
}

/** Publishes messages to nobody but the dead. @returns what buries one after the other */
async function startUndertaker(queue: ContractCodeQ, topic: string) {
  const probe = await startProbe(queue, { topic });
  return async (text: string, tenant: string): Promise<string> => {
    const sent = message(topic, text, { tenant });
    await queue.publish(sent, { depthMax: 10, durable: true });
    await (await probe.next()).deadLetter("broken");
    probe.release();
    return sent.id;
  };
}

const idsOf = async (queue: ContractCodeQ, topic: string): Promise<string[]> =>
  (await queue.dead(topic, 100)).map(({ message: { id } }) => id);

/** What keeps dead letters from filling the engine. */
export function deadLetterBoundsContract(open: OpenCodeQ): void {
  test("past the number a tenant may have his oldest dead letters go, and nobody else's", async () => {
    const topic = unique("topic");
    const heard = countDropped(topic);
    await using queue = await open({ deadLetters: { ...WIDE, countMax: 2 }, ...heard });
    const bury = await startUndertaker(queue, topic);
    const other = await bury("other", "t_other1");
    const ids: string[] = [];
    for (const text of ["a", "b", "c", "d"]) ids.push(await bury(text, "t_first1"));
    assert.deepEqual(await idsOf(queue, topic), [other, ...ids.slice(2)]);
    assert.equal(await queue.deadCount(topic), 3);
    await eventually("it is heard of", () => heard.count === 2);
    // What was taken away, or put back, makes room.
    assert.equal(await queue.removeDead(topic, "t_first1", ids[2] ?? ""), true);
    ids.push(await bury("e", "t_first1"));
    assert.deepEqual(await idsOf(queue, topic), [other, ids[3], ids[4]]);
    // The id of what went is free.
    await queue.publish(message(topic, "again", { id: ids[0] ?? "" }), { depthMax: 10, durable: true });
    await eventually("it is taken", async () => (await queue.depth(topic))[0]?.claimed === 1);
  });

  test("past the bytes a tenant may have his oldest dead letters go", async () => {
    const bytesOf = (text: string): number => Buffer.byteLength(JSON.stringify({ text }));
    const large = "\u00e4".repeat(500);
    const bytesMax = bytesOf("a") + bytesOf(large);
    const topic = unique("topic");
    const heard = countDropped(topic);
    await using queue = await open({ deadLetters: { ...WIDE, bytesMax }, ...heard });
    const bury = await startUndertaker(queue, topic);
    await bury("a", "t_first1");
    const second = await bury(large, "t_first1");
    assert.equal(await queue.deadCount(topic), 2, "as much as there may be");
    const third = await bury("b", "t_first1");
    assert.deepEqual(await idsOf(queue, topic), [second, third]);
    const fourth = await bury(large, "t_first1");
    assert.deepEqual(await idsOf(queue, topic), [third, fourth]);
    await bury(`${large}${large}`, "t_first1");
    assert.deepEqual(await idsOf(queue, topic), [], "one that is larger than all there may be stays out");
    await eventually("it is heard of", () => heard.count === 5);
  });

  test("a dead letter goes when it has been dead for too long", async () => {
    const topic = unique("topic");
    const heard = countDropped(topic);
    await using queue = await open({ deadLetters: { ...WIDE, ttlMs: 400 }, ...heard });
    const bury = await startUndertaker(queue, topic);
    const diedAtMs = Date.now();
    for (const text of ["a", "b", "c"]) await bury(text, "t_first1");
    await eventually("all are gone", async () => (await queue.deadCount(topic)) === 0);
    assert.ok(Date.now() - diedAtMs >= 390, "not before");
    await eventually("it is heard of", () => heard.count === 3);
  });
}

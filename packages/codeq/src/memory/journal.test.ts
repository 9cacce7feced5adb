import assert from "node:assert/strict";
import test from "node:test";
import { PlatformError } from "@sous/contract";
import type { CodeQ, Delivery, Message } from "../codeq.ts";
import { createMapJournal, type MapJournal } from "../contract/map-journal.ts";
import { createVirtualTime, type VirtualTime } from "../contract/virtual-time.ts";
import { createMemoryCodeQ } from "./create-memory-codeq.ts";

interface Body {
  text: string;
}

const TOPIC = "cs.invoke";
const durable = { depthMax: 10, durable: true };

const open = (journal: MapJournal, time: VirtualTime, errors: PlatformError[] = []) =>
  createMemoryCodeQ<Body, string>({ ...time, journal, onError: (error) => errors.push(error) });

function message(time: VirtualTime, text: string, fields: Partial<Message<Body>> = {}): Message<Body> {
  const nowMs = time.clock();
  const rest = {
    tenant: "t_default",
    lane: "default/hello",
    attempt: 1,
    enqueued_at_ms: nowMs,
    due_at_ms: 0,
  };
  return { id: text, topic: TOPIC, body: { text }, expires_at_ms: nowMs + 60_000, ...rest, ...fields };
}

/** Takes everything the queue gives. */
async function take(queue: CodeQ<Body, string>, time: VirtualTime, max = Infinity) {
  const held: Delivery<Body>[] = [];
  const expired: string[] = [];
  const subscription = await queue.consume({
    topic: TOPIC,
    leaseMs: 1000,
    capacity: () => max - held.length,
    accepts: () => true,
    deliver: (delivery) => held.push(delivery),
    onExpired: ({ id }) => void expired.push(id),
  });
  time.advance(1);
  return { held, expired, subscription };
}

const starts = (held: readonly Delivery<Body>[]): string[] =>
  held.map(({ message: { body, attempt } }) => `${body.text} ${attempt}`);

/** Lets writes that nobody waits for land. */
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

test("a durable publish settles when the journal has it, and is claimable no sooner", async () => {
  const [journal, time] = [createMapJournal(), createVirtualTime()];
  await using queue = await open(journal, time);
  const { held } = await take(queue, time);
  const published = queue.publish(message(time, "a"), durable);
  assert.equal(journal.entries.size, 0);
  assert.equal(held.length, 0);
  await published;
  assert.equal(journal.entries.get("a")?.body_json, '{"text":"a"}');
  assert.deepEqual(starts(held), ["a 1"]);
});

test("a duplicate is acknowledged when the first one is", async () => {
  const [journal, time] = [createMapJournal(), createVirtualTime()];
  await using queue = await open(journal, time);
  const first = queue.publish(message(time, "a"), durable);
  await queue.publish(message(time, "a"), durable);
  assert.equal(journal.entries.size, 1);
  await first;
  journal.failure = new Error("disk full");
  const failing = queue.publish(message(time, "b"), durable);
  await assert.rejects(queue.publish(message(time, "b"), durable), { code: "CS_CODEQ_PUBLISH_FAILED" });
  await assert.rejects(failing);
});

test("waiting, delayed, returned, claimed and dead messages come back after a crash, in order", async () => {
  const [journal, time] = [createMapJournal(), createVirtualTime()];
  const before = await open(journal, time);
  for (const id of ["done", "claimed", "returned", "dead", "ready", "ready2"]) {
    await before.publish(message(time, id), durable);
  }
  await before.publish(message(time, "delayed", { due_at_ms: time.clock() + 5000 }), durable);
  await before.publish(message(time, "volatile"), { depthMax: 10, durable: false });
  const { held } = await take(before, time, 4);
  await held[0]?.ack();
  await held[2]?.nack(10_000);
  await held[3]?.deadLetter("broken");
  await settle();
  // Nothing of the first queue is closed in an orderly way: its journal is all there is.

  await using queue = await open(journal, time);
  assert.deepEqual(await queue.depth(TOPIC), [
    { tenant: "t_default", lane: "default/hello", ready: 3, delayed: 2, claimed: 0 },
  ]);
  const dead = await queue.dead(TOPIC, 10);
  assert.deepEqual(
    dead.map((letter) => [letter.message.id, letter.reason, letter.message.attempt]),
    [["dead", "broken", 1]],
  );
  const after = await take(queue, time);
  assert.deepEqual(starts(after.held), ["claimed 2", "ready 1", "ready2 1"]);
  for (const delivery of after.held.splice(0)) await delivery.ack();
  time.advance(5000);
  assert.deepEqual(starts(after.held), ["delayed 1"]);
  await after.held[0]?.ack();
  time.advance(5000);
  assert.deepEqual(starts(after.held), ["delayed 1", "returned 2"]);
  await after.held[1]?.ack();
  assert.equal(await queue.redrive(TOPIC), 1);
  assert.deepEqual(starts(after.held.slice(2)), ["dead 1"]);
  await after.held[2]?.ack();
  assert.equal(journal.entries.size, 0);
  await before[Symbol.asyncDispose]();
});

test("a message that takes the process down with it comes back as a later attempt each time", async () => {
  const [journal, time] = [createMapJournal(), createVirtualTime()];
  await using first = await open(journal, time);
  await first.publish(message(time, "poison"), durable);
  for (let attempt = 1; attempt <= 4; attempt++) {
    await using queue = await open(journal, time);
    const { held } = await take(queue, time);
    assert.deepEqual(starts(held), [`poison ${attempt}`]);
    await settle();
  }
});

test("a redriven dead letter stays redriven after a crash, with its new age", async () => {
  const [journal, time] = [createMapJournal(), createVirtualTime()];
  await using before = await open(journal, time);
  await before.publish(message(time, "a"), durable);
  const { held, subscription } = await take(before, time);
  await held[0]?.deadLetter("broken");
  await subscription.close();
  time.advance(100_000);
  assert.equal(await before.redrive(TOPIC, "a"), 1);
  await using queue = await open(journal, time);
  const after = await take(queue, time);
  assert.deepEqual(after.expired, []);
  assert.deepEqual(starts(after.held), ["a 1"]);
  assert.deepEqual(await queue.dead(TOPIC, 10), []);
});

test("what expired while nobody ran is told to the first consumer and leaves the journal", async () => {
  const [journal, time] = [createMapJournal(), createVirtualTime()];
  await using before = await open(journal, time);
  await before.publish(message(time, "old"), durable);
  await before.publish(message(time, "late", { due_at_ms: time.clock() + 50_000 }), durable);
  time.advance(100_000);
  await using queue = await open(journal, time);
  time.advance(1000);
  const { held, expired } = await take(queue, time);
  assert.deepEqual(expired.sort(), ["late", "old"]);
  assert.deepEqual(held, []);
  await settle();
  assert.equal(journal.entries.size, 0);
});

test("a publish the journal refuses is not queued", async () => {
  const [journal, time] = [createMapJournal(), createVirtualTime()];
  await using queue = await open(journal, time);
  journal.failure = new Error("disk full");
  await assert.rejects(queue.publish(message(time, "a"), durable), (error: unknown) => {
    assert.ok(error instanceof PlatformError);
    assert.equal(error.code, "CS_CODEQ_PUBLISH_FAILED");
    assert.equal(error.cause, journal.failure);
    return true;
  });
  journal.failure = new PlatformError("CS_STORE_UNAVAILABLE", "down");
  await assert.rejects(queue.publish(message(time, "a"), durable), { code: "CS_STORE_UNAVAILABLE" });
  assert.deepEqual(await queue.depth(TOPIC), []);
  journal.failure = undefined;
  await queue.publish(message(time, "a"), { depthMax: 1, durable: true });
  const { held } = await take(queue, time);
  assert.deepEqual(starts(held), ["a 1"]);
});

test("ends the journal refuses are told to whoever ends, and repeated after a restart", async () => {
  const [journal, time] = [createMapJournal(), createVirtualTime()];
  const errors: PlatformError[] = [];
  await using before = await open(journal, time, errors);
  await before.publish(message(time, "a"), durable);
  const { held } = await take(before, time);
  await settle();
  journal.failure = new Error("disk full");
  await assert.rejects(held[0]?.ack() ?? Promise.resolve(), { code: "CS_CODEQ_PUBLISH_FAILED" });
  journal.failure = undefined;
  assert.deepEqual(await before.depth(TOPIC), []);
  await using queue = await open(journal, time);
  assert.deepEqual(starts((await take(queue, time)).held), ["a 2"]);
  assert.deepEqual(errors, []);
});

test("a background write that fails is reported", async () => {
  const [journal, time] = [createMapJournal(), createVirtualTime()];
  const errors: PlatformError[] = [];
  await using queue = await open(journal, time, errors);
  await queue.publish(message(time, "a"), durable);
  journal.failure = new Error("disk full");
  await take(queue, time);
  await settle();
  assert.deepEqual(
    errors.map(({ code }) => code),
    ["CS_CODEQ_PUBLISH_FAILED"],
  );
});

test("a redrive the journal refuses leaves the letter dead", async () => {
  const [journal, time] = [createMapJournal(), createVirtualTime()];
  await using queue = await open(journal, time);
  await queue.publish(message(time, "a"), durable);
  const { held } = await take(queue, time);
  await held[0]?.deadLetter("broken");
  journal.failure = new Error("disk full");
  await assert.rejects(queue.redrive(TOPIC), { code: "CS_CODEQ_PUBLISH_FAILED" });
  assert.equal((await queue.dead(TOPIC, 10)).length, 1);
  journal.failure = undefined;
  assert.equal(await queue.redrive(TOPIC), 1);
});

test("an entry that cannot be decoded is reported and left alone", async () => {
  const [journal, time] = [createMapJournal(), createVirtualTime()];
  await using before = await open(journal, time);
  await before.publish(message(time, "bad"), durable);
  await before.publish(message(time, "good"), durable);
  const entry = journal.entries.get("bad");
  assert.ok(entry);
  await journal.remove("bad");
  await journal.append({ ...entry, body_json: "{" });
  const errors: PlatformError[] = [];
  await using queue = await open(journal, time, errors);
  assert.deepEqual(starts((await take(queue, time)).held), ["good 1"]);
  assert.deepEqual(errors[0]?.details, { id: "bad" });
  assert.ok(journal.entries.has("bad"));
});

test("a queue without a journal refuses what it could not keep", async () => {
  const time = createVirtualTime();
  await using queue = await createMemoryCodeQ<Body, string>({ ...time });
  await assert.rejects(queue.publish(message(time, "a"), durable), { code: "CS_CODEQ_PUBLISH_FAILED" });
  await queue.publish(message(time, "a"), { depthMax: 1, durable: false });
});

test("closing waits for writes on their way", async () => {
  const [journal, time] = [createMapJournal(), createVirtualTime()];
  const queue = await open(journal, time);
  const published = queue.publish(message(time, "a"), durable);
  await queue[Symbol.asyncDispose]();
  assert.ok(journal.entries.has("a"));
  await published;
});

test("what expires stays until its consumer has said what becomes of it, through a crash too", async () => {
  const [journal, time] = [createMapJournal(), createVirtualTime()];
  await using before = await open(journal, time);
  await before.publish(message(time, "a"), durable);
  const nobody = { topic: TOPIC, leaseMs: 1000, capacity: () => 0, accepts: () => true, deliver: () => {} };
  const never = new Promise<string>(() => {});
  await before.consume({ ...nobody, onExpired: () => never });
  time.advance(60_000);
  await settle();
  assert.equal(journal.entries.get("a")?.dead, false, "nobody has said anything yet");

  const errors: PlatformError[] = [];
  await using queue = await open(journal, time, errors);
  let told = 0;
  const onExpired = (): string => {
    if (++told === 1) throw new Error("not now");
    return "too old";
  };
  await queue.consume({ ...nobody, onExpired });
  time.advance(1);
  assert.deepEqual([told, errors.length], [1, 1]);
  time.advance(60_000);
  assert.equal(told, 2, "it is told of again");
  await settle();

  await using after = await open(journal, time);
  const letters = await after.dead(TOPIC, 10);
  assert.deepEqual(
    letters.map(({ message: { id }, reason }) => [id, reason]),
    [["a", "too old"]],
  );
});

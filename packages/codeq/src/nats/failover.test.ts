import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startProxy, withNats } from "@sous/store/testing";
import { type ContractCodeQ, eventually, message, Probe, startProbe, unique } from "../contract/harness.ts";
import type { ContractBody, ContractResult } from "../contract/index.ts";
import { jetstreamManager } from "@nats-io/jetstream";
import { createNatsCodeQ } from "./create-nats-codeq.ts";
import { NatsLink } from "./nats-link.ts";
import { parseNatsUrl } from "./nats-url.ts";

const COORDINATE = fileURLToPath(new URL("./testing/coordinate.ts", import.meta.url));
const durable = { depthMax: 1000, durable: true };

const open = (url: string) =>
  createNatsCodeQ<ContractBody, ContractResult>({ url, clock: Date.now, onError: assert.fail });

/** A coordinator in a process of its own: it comes before all others. */
async function startCoordinator(url: string): Promise<ChildProcess & AsyncDisposable> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", COORDINATE, url], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  assert.ok(child.stdout);
  await once(child.stdout, "data");
  return Object.assign(child, {
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  });
}

/** Acknowledges everything a little later, and counts what runs twice at a time. */
async function startWorker(queue: ContractCodeQ, topic: string): Promise<{ probe: Probe; twice: string[] }> {
  const probe = new Probe(8);
  const running = new Set<string>();
  const twice: string[] = [];
  await probe.start(queue, {
    topic,
    onDelivery: (delivery) => {
      const { text } = delivery.message.body;
      if (running.has(text)) twice.push(text);
      running.add(text);
      setTimeout(() => {
        running.delete(text);
        // An end that could not be said in the change of coordinators: the message comes back.
        void delivery
          .ack()
          .catch(() => {})
          .then(() => probe.release());
      }, 2);
    },
  });
  return { probe, twice };
}

/** Publishes durably, trying again what was refused, as a caller does who has an id of his own. */
async function publishAllOf(
  queue: ContractCodeQ,
  topic: string,
  texts: readonly string[],
): Promise<{ refusals: number; longestMs: number }> {
  let refusals = 0;
  let longestMs = 0;
  for (const text of texts) {
    const sent = message(topic, text);
    const fromMs = performance.now();
    for (;;) {
      try {
        await queue.publish(sent, durable);
        break;
      } catch {
        refusals++;
        await sleep(20);
      }
    }
    longestMs = Math.max(longestMs, performance.now() - fromMs);
  }
  return { refusals, longestMs };
}

const texts = Array.from({ length: 200 }, (_, at) => `m${at}`);

withNats({}, (server) => {
  test("another process goes on within seconds when the one that coordinates is killed: nothing is lost, nothing held is taken away", async () => {
    await using coordinator = await startCoordinator(server().url);
    await using queue = await open(server().url);
    const topic = unique("topic");
    const holder = await startProbe(queue, { topic: `${topic}-held`, leaseMs: 60_000 });
    const waiting = message(`${topic}-held`, "waits");
    await queue.publish(message(`${topic}-held`, "held"), durable);
    await queue.publish(waiting, durable);
    await queue.publish(message(`${topic}-held`, "cancelled"), { depthMax: 1000, durable: false });
    const held = await holder.next();
    const { probe } = await startWorker(queue, topic);
    const published = publishAllOf(queue, topic, texts);
    await eventually("some work is done", () => probe.texts.length > 50);
    const killedAtMs = Date.now();
    coordinator.kill("SIGKILL");
    await published;
    await eventually("all work is done", () => new Set(probe.texts).size === texts.length);
    assert.ok(Date.now() - killedAtMs < 10_000);
    // Work may run again only where its publisher was not told that it had been taken, or its end was not.
    assert.ok(probe.texts.length <= texts.length + 8, `${probe.texts.length} deliveries`);
    assert.deepEqual(
      (await queue.depth(`${topic}-held`)).map(({ ready, claimed }) => ({ ready, claimed })),
      [{ ready: 2, claimed: 1 }],
      "claimed and waiting messages are as they were",
    );
    assert.equal(await held.extend(60_000), true, "the claim outlived the coordinator it came from");
    await held.ack();
    holder.release();
    assert.equal(await holder.done(), "waits");
  });

  test("a coordinator that was paused can do nothing when it wakes up: nothing runs twice at a time", async () => {
    await using coordinator = await startCoordinator(server().url);
    await using queue = await open(server().url);
    const topic = unique("topic");
    const { probe, twice } = await startWorker(queue, topic);
    const published = publishAllOf(queue, topic, texts);
    await eventually("some work is done", () => probe.texts.length > 50);
    coordinator.kill("SIGSTOP");
    await published;
    await eventually("all work is done", () => new Set(probe.texts).size === texts.length);
    coordinator.kill("SIGCONT");
    await sleep(500);
    assert.deepEqual(twice, []);
    assert.ok(probe.texts.length <= texts.length + 8, `${probe.texts.length} deliveries`);
    await queue.check();
    assert.deepEqual(await queue.depth(topic), []);
  });

  test("a coordinator that ends in order hands over: no publish is refused, and none waits for its silence", async () => {
    // What is on its way at the moment of the end differs from time to time.
    for (let round = 0; round < 20; round++) {
      const first = await open(server().url);
      await using second = await open(server().url);
      const topic = unique("topic");
      const { probe } = await startWorker(second, topic);
      const published = Promise.all(
        [0, 1, 2, 3].map((part) => publishAllOf(second, topic, texts.slice(part * 50, part * 50 + 50))),
      );
      await eventually("some work is done", () => probe.texts.length > 20);
      await first[Symbol.asyncDispose]();
      for (const { refusals, longestMs } of await published) {
        assert.equal(refusals, 0);
        assert.ok(longestMs < 2400, `one waited ${longestMs} ms`);
      }
      await eventually("all work is done", () => probe.texts.length >= texts.length);
      assert.deepEqual(probe.texts.toSorted(), texts.toSorted());
    }
  });

  test("a server whose data were lost is coordinated again, though who is new there begins to count anew", async () => {
    const [first, second] = [await open(server().url), await open(server().url)];
    for (let at = 0; at < 20; at++) await first.publish(message(unique("topic"), "before"), durable);
    await first[Symbol.asyncDispose]();
    await second.publish(message(unique("topic"), "between"), durable);
    await using survivor = await createNatsCodeQ<ContractBody, ContractResult>({
      url: server().url,
      clock: Date.now,
    });
    // It hears of an end far beyond where a new log begins.
    await second[Symbol.asyncDispose]();
    await survivor.publish(message(unique("topic"), "after both"), durable);
    const link = await NatsLink.open({
      target: parseNatsUrl(server().url),
      random: Math.random,
      report: assert.fail,
    });
    const manager = await jetstreamManager(link.connection);
    for await (const { config } of manager.streams.list()) await manager.streams.delete(config.name);
    await link[Symbol.asyncDispose]();
    await using fresh = await open(server().url);
    const topic = unique("topic");
    for (const queue of [fresh, survivor]) {
      await eventually("it takes work", async () => {
        try {
          await queue.publish(message(topic, "after"), durable);
          return true;
        } catch {
          return false;
        }
      });
    }
    assert.equal((await fresh.depth(topic))[0]?.ready, 2);
  });

  test("dead letters, delays and attempts are with the next coordinator as they were", async () => {
    const topic = unique("topic");
    const sent = message(topic, "dead");
    const later = message(topic, "later");
    {
      await using queue = await open(server().url);
      const probe = await startProbe(queue, { topic, slots: 2 });
      await queue.publish(sent, durable);
      await (await probe.next()).nack(0);
      probe.release();
      await (await probe.next()).deadLetter("broken twice");
      probe.release();
      await queue.publish(later, { depthMax: 9, durable: false });
      await (await probe.next()).nack(1500);
      probe.release();
      await probe.subscription.close();
    }
    await using queue = await open(server().url);
    const [letter] = await queue.dead(topic, 10);
    assert.deepEqual(
      [letter?.message.id, letter?.reason, letter?.message.attempt],
      [sent.id, "broken twice", 2],
    );
    assert.deepEqual(
      (await queue.depth(topic)).map(({ delayed }) => delayed),
      [1],
    );
    await queue.publish(sent, durable);
    assert.equal((await queue.depth(topic))[0]?.ready, 0, "the dead are still known by their ids");
    const probe = await startProbe(queue, { topic });
    const again = await probe.next();
    assert.deepEqual([again.message.id, again.message.attempt], [later.id, 2]);
    await again.ack();
    probe.release();
    assert.equal(await queue.redrive(topic), 1);
    assert.equal(await probe.done(), "dead");
  });

  test("a consumer that is cut off is given nothing more, and what was on its way to it is free at once", async () => {
    await using proxy = await startProxy(server().port);
    await using near = await open(server().url);
    await using far = await createNatsCodeQ<ContractBody, ContractResult>({
      url: `nats://127.0.0.1:${proxy.port}`,
      clock: Date.now,
    });
    const topic = unique("topic");
    const greedy = await startProbe(far, { topic, slots: 100, leaseMs: 60_000 });
    await near.publish(message(topic, "first"), durable);
    const first = await greedy.next();
    proxy.refuse(true);
    proxy.cut();
    await near.publish(message(topic, "second"), durable);
    const probe = await startProbe(near, { topic });
    const second = await probe.next();
    assert.deepEqual([second.message.body.text, second.message.attempt], ["second", 1]);
    await second.ack();
    assert.equal((await near.depth(topic))[0]?.claimed, 1, "what it had is still its own");
    proxy.refuse(false);
    await first.ack();
    assert.deepEqual(await near.depth(topic), []);
    await greedy.quiet();
  });
});

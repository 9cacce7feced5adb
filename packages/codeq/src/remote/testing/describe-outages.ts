import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { PlatformError } from "@sous/contract";
import { startProxy } from "@sous/store/testing";
import { eventually, message, publishAll, startProbe, unique } from "../../contract/harness.ts";
import type { ContractBody, ContractResult } from "../../contract/index.ts";
import type { CodeQ } from "../../codeq.ts";

const HOLD_ONE = fileURLToPath(new URL("./hold-one.ts", import.meta.url));
const durable = { depthMax: 1000, durable: true };

const isPublishFailed = (error: unknown): boolean => {
  assert.ok(error instanceof PlatformError);
  assert.equal(error.code, "CS_CODEQ_PUBLISH_FAILED");
  assert.equal(error.status, 503);
  assert.ok(error.retryable);
  return true;
};

/** A server that can go away and come back. */
interface OutageServer {
  readonly url: string;
  readonly port: number;
  kill(): Promise<void>;
  restart(): Promise<void>;
}

type Create = (options: {
  url: string;
  clock: () => number;
  onError: (error: PlatformError) => void;
}) => Promise<CodeQ<ContractBody, ContractResult>>;

/** @returns the same server by another way */
function at(url: string, port: number): string {
  const other = new URL(url);
  other.port = String(port);
  return other.href;
}

/** What every queue in a server keeps when the server, the way to it or a consumer goes away. */
export function describeOutages(server: () => OutageServer, create: Create): void {
  async function open(url: string) {
    const errors: PlatformError[] = [];
    const onError = (error: PlatformError): void => void errors.push(error);
    const queue = await create({ url, clock: Date.now, onError });
    return { queue, errors, [Symbol.asyncDispose]: () => queue[Symbol.asyncDispose]() };
  }

  test("what was acknowledged is there after the server was killed, in order, and consumers go on by themselves", async () => {
    await using opened = await open(server().url);
    const { queue, errors } = opened;
    const topic = unique("topic");
    const probe = await startProbe(queue, { topic, leaseMs: 60_000 });
    await queue.publish(message(topic, "held"), durable);
    const held = await probe.next();
    const acknowledged: string[] = [];
    const publisher = (async () => {
      for (let at = 0; ; at++) {
        try {
          await queue.publish(message(topic, `m${at}`), durable);
          acknowledged.push(`m${at}`);
        } catch (error) {
          isPublishFailed(error);
          return;
        }
      }
    })();
    await eventually("some are taken", () => acknowledged.length > 20);
    await server().kill();
    await publisher;
    await assert.rejects(queue.check(), isPublishFailed);
    await assert.rejects(queue.publish(message(topic, "away"), durable), isPublishFailed);
    // Said while the server is away, heard when it is back: the work is done and is not done again.
    const acked = held.ack();
    await server().restart();
    await acked;
    probe.release();
    const texts = await probe.drain(acknowledged.length);
    // The publish that was cut off may have arrived or not.
    assert.deepEqual(texts, acknowledged);
    await queue.check();
    assert.ok(errors.length >= 1 && errors.length <= 3, `${errors.length} reports of one outage`);
  });

  test("a lease that ran out during the outage is lost: a late end is refused", async () => {
    await using proxy = await startProxy(server().port);
    await using far = await open(at(server().url, proxy.port));
    await using near = await open(server().url);
    const topic = unique("topic");
    const slow = await startProbe(far.queue, { topic, leaseMs: 500 });
    await near.queue.publish(message(topic, "a"), durable);
    const lost = await slow.next();
    proxy.refuse(true);
    proxy.cut();
    const late = lost.deadLetter("too late").catch(isPublishFailed);
    const probe = await startProbe(near.queue, { topic });
    const again = await probe.next();
    assert.equal(again.message.attempt, 2);
    proxy.refuse(false);
    await late;
    assert.equal(await lost.extend(1000), false);
    assert.deepEqual(await near.queue.dead(topic, 10), []);
    await again.ack();
    assert.deepEqual(await near.queue.depth(topic), []);
  });

  test("connections that are cut again and again lose nothing and run nothing twice at a time", async () => {
    await using proxy = await startProxy(server().port);
    await using far = await open(at(server().url, proxy.port));
    await using near = await open(server().url);
    const topic = unique("topic");
    const probe = await startProbe(far.queue, {
      topic,
      slots: 8,
      leaseMs: 20_000,
      onDelivery: (delivery) => {
        setTimeout(() => void delivery.ack().then(() => probe.release()), 2);
      },
    });
    const sent = Array.from({ length: 300 }, (_, at) => `m${at}`);
    const refused = new Set<string>();
    for (const [at, text] of sent.entries()) {
      // Of the call during which a coordinator lost its connection nobody knows whether it was done.
      await near.queue.publish(message(topic, text), durable).catch((error: unknown) => {
        isPublishFailed(error);
        refused.add(text);
      });
      if (at % 60 === 30) proxy.cut();
      await sleep(1);
    }
    await eventually("all are done", async () => (await near.queue.depth(topic)).length === 0);
    const ran = new Set(probe.texts);
    assert.deepEqual([...ran].sort(), sent.filter((text) => ran.has(text) || !refused.has(text)).sort());
    assert.equal(probe.texts.length, ran.size, "no claim and no end was lost with a connection");
    assert.ok(refused.size <= 5, `${refused.size} were refused by five cuts`);
  });

  test("a delivery that is lost with the connection is taken back at once, as the same attempt", async () => {
    await using proxy = await startProxy(server().port);
    // The first to come coordinates: it keeps its connection here.
    await using near = await open(server().url);
    await using far = await open(at(server().url, proxy.port));
    const topic = unique("topic");
    const probe = await startProbe(far.queue, { topic, leaseMs: 60_000 });
    proxy.onAnswer = (chunk) => {
      if (!chunk.includes("secret text")) return false;
      proxy.onAnswer = undefined;
      return true;
    };
    await near.queue.publish(message(topic, "secret text"), durable);
    const delivery = await probe.next();
    assert.equal(proxy.onAnswer, undefined, "the first one was lost");
    assert.equal(delivery.message.attempt, 1);
    await delivery.ack();
  });

  test("a server that says nothing any more is given up: nobody waits for ever", async () => {
    await using proxy = await startProxy(server().port);
    await using far = await open(at(server().url, proxy.port));
    proxy.hold(true);
    const begunMs = Date.now();
    await assert.rejects(far.queue.publish(message(unique("topic"), "a"), durable), isPublishFailed);
    assert.ok(Date.now() - begunMs < 5000);
    await eventually("it works again over a new connection", () =>
      far.queue.check().then(
        () => true,
        () => false,
      ),
    );
  });

  test("the lease brings back what a killed process held", async () => {
    await using near = await open(server().url);
    const topic = unique("topic");
    await publishAll(near.queue, topic, ["a", "b"]);
    const child = spawn(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", HOLD_ONE, server().url, topic, "1000"],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    await once(child.stdout, "data");
    child.kill("SIGKILL");
    await once(child, "exit");
    const probe = await startProbe(near.queue, { topic, slots: 2 });
    const deliveries = [await probe.next(), await probe.next()];
    assert.deepEqual(deliveries.map(({ message: { attempt, body } }) => `${body.text} ${attempt}`).sort(), [
      "a 2",
      "b 1",
    ]);
  });

  test("a message that grew too old while nobody consumed is told to the first who comes, and its id is free again", async () => {
    await using near = await open(server().url);
    const topic = unique("topic");
    const old = message(topic, "old", { expires_at_ms: Date.now() + 50 });
    await near.queue.publish(old, durable);
    await sleep(80);
    const probe = await startProbe(near.queue, { topic, slots: 0 });
    await eventually("it is heard of", () => probe.expired.length === 1);
    await eventually("and gone", async () => (await near.queue.cancel(old.id, topic)) === undefined);
    await near.queue.publish({ ...old, expires_at_ms: Date.now() + 60_000 }, durable);
    assert.equal((await near.queue.depth(topic))[0]?.ready, 1, "the id is free again");
  });
}

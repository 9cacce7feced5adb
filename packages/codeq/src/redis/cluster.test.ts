import assert from "node:assert/strict";
import { test } from "node:test";
import { PlatformError } from "@sous/contract";
import { eventually, message, startProbe, unique } from "../contract/harness.ts";
import type { ContractBody, ContractResult } from "../contract/index.ts";
import { testSharedLane } from "../remote/testing/test-shared-lane.ts";
import { createRedisCodeQ } from "./create-redis-codeq.ts";
import { withRedis } from "@sous/store/testing";

const durable = { depthMax: 1000, durable: true };

/** What only several processes on one server show: here several queues, each with connections of its own. */
withRedis({}, (server) => {
  const open = (query = "") =>
    createRedisCodeQ<ContractBody, ContractResult>({
      url: server().url + query,
      clock: Date.now,
      onError: assert.fail,
    });

  test("a gateway that publishes gets the answer of an invoker elsewhere; an idle one is woken at once", async () => {
    await using gateway = await open();
    await using invoker = await open();
    await using replies = await gateway.openReplies();
    const topic = unique("topic");
    let address = "";
    const probe = await startProbe(invoker, {
      topic,
      slots: 100,
      onDelivery: (delivery) => {
        invoker.reply(address, delivery.message.id, { text: `done ${delivery.message.body.text}` });
        void delivery.ack();
      },
    });
    const tookMs: number[] = [];
    for (let at = 0; at < 50; at++) {
      const sent = message(topic, `m${at}`);
      const begun = performance.now();
      const answer = new Promise<ContractResult>((resolve) => {
        address = replies.expect(sent.id, resolve);
      });
      await gateway.publish(sent, durable);
      assert.equal((await answer).text, `done m${at}`);
      tookMs.push(performance.now() - begun);
      probe.held = 0;
    }
    tookMs.sort((a, b) => a - b);
    // A poll would show as its pause; the slow look for lost work comes once a second.
    assert.ok((tookMs[25] ?? Infinity) < 100, `median ${tookMs[25]} ms there and back`);
  });

  testSharedLane(open, 8);

  test("messages that cannot be read are dead letters, and hold up nothing behind them", async () => {
    const unread: string[] = [];
    await using gateway = await open();
    await using invoker = await createRedisCodeQ<ContractBody, ContractResult>({
      url: server().url,
      clock: Date.now,
      onError: ({ code }) => void unread.push(code),
      codec: {
        encode: (body) => JSON.stringify(body),
        decode(json) {
          if (json.includes("broken")) throw new TypeError("not of this version");
          return JSON.parse(json) as ContractBody;
        },
      },
    });
    const topic = unique("topic");
    for (let at = 0; at < 12; at++) await gateway.publish(message(topic, `broken${at}`), durable);
    await gateway.publish(message(topic, "good"), durable);
    const begunMs = performance.now();
    const good = Promise.withResolvers<void>();
    await invoker.consume({
      topic,
      leaseMs: 60_000,
      slowStart: 1,
      capacity: () => 100,
      accepts: () => true,
      deliver: (delivery) => void delivery.ack().then(good.resolve, good.reject),
      onExpired: () => {},
    });
    await good.promise;
    // The slow look for lost work comes once a second.
    assert.ok(performance.now() - begunMs < 6000, `${performance.now() - begunMs} ms`);
    assert.deepEqual([await gateway.deadCount(topic), unread.length], [12, 12]);
  });

  test("two invokers share a lane in order, each within its capacity", async () => {
    await using gateway = await open();
    await using first = await open();
    await using second = await open();
    const topic = unique("topic");
    const probes = [
      await startProbe(first, { topic, slots: 2 }),
      await startProbe(second, { topic, slots: 2 }),
    ];
    for (let at = 0; at < 4; at++) await gateway.publish(message(topic, `m${at}`), durable);
    await eventually("both are full", () => probes.every((probe) => probe.held === 2));
    assert.deepEqual(probes.flatMap((probe) => probe.texts).sort(), ["m0", "m1", "m2", "m3"]);
  });

  test("a lane at its bound is not claimed in vain for each message that ends", async () => {
    await using queue = await open();
    const topic = unique("topic");
    let asked = 0;
    let held = 0;
    const probe = await startProbe(queue, {
      topic,
      slots: 1000,
      accepts: () => {
        asked++;
        return held < 5;
      },
      onDelivery: (delivery) => {
        held++;
        setTimeout(() => {
          held--;
          void delivery.ack().then(() => probe.subscription.wake(delivery.message));
        }, 2);
      },
    });
    const count = 300;
    await Promise.all(
      Array.from({ length: count }, (_, at) => queue.publish(message(topic, `m${at}`), durable)),
    );
    await eventually("all are done", async () => (await queue.depth(topic)).length === 0);
    assert.equal(probe.texts.length, count);
    assert.ok(asked < 2 * count, `${asked} questions for ${count} messages`);
  });

  test("a weight set in one process holds where another consumes, also one that comes later", async () => {
    await using control = await open();
    await using invoker = await open();
    const topic = unique("topic");
    const probe = await startProbe(invoker, { topic, slots: 0 });
    control.setWeight("t_heavier", 3);
    for (let at = 0; at < 40; at++) {
      await control.publish(message(topic, `heavy${at}`, { tenant: "t_heavier" }), durable);
      await control.publish(message(topic, `light${at}`, { tenant: "t_lighter" }), durable);
    }
    await eventually("the weight arrived", async () => {
      const other = await open();
      await using _ = other;
      const late = await startProbe(other, { topic, slots: 20 });
      await eventually("twenty are taken", () => late.held === 20);
      const heavy = late.texts.filter((text) => text.startsWith("heavy")).length;
      for (const delivery of late.deliveries) await delivery.release();
      return heavy === 15;
    });
    probe.resize(20);
    await eventually("twenty are taken", () => probe.held === 20);
    control.setWeight("t_heavier", 1);
  });

  test("tenants spread over shards all get their turn, and ids are found in each", async () => {
    await using queue = await open("?shards=4&prefix=four:");
    const topic = unique("topic");
    const tenants = Array.from({ length: 12 }, (_, at) => `t_tenant${at}`);
    const sent = tenants.map((tenant) => message(topic, tenant, { tenant }));
    for (const each of sent) await queue.publish(each, durable);
    assert.equal((await queue.depth(topic)).length, 12);
    assert.equal((await queue.cancel(sent[3]?.id ?? ""))?.tenant, "t_tenant3");
    const probe = await startProbe(queue, { topic, slots: 5 });
    assert.deepEqual(
      (await probe.drain(11)).sort(),
      tenants.filter((tenant) => tenant !== "t_tenant3").sort(),
    );
  });

  test("processes that disagree on the number of shards do not start", async () => {
    await using _ = await open("?prefix=agreed:");
    await assert.rejects(open("?prefix=agreed:&shards=2"), { code: "CS_VALIDATION_FAILED" });
  });

  test("a message that keys and scripts cannot hold is refused with what is wrong", async () => {
    await using queue = await open();
    for (const fields of [{ id: "" }, { tenant: "a\u001fb" }, { lane: "x".repeat(513) }, { attempt: 1.5 }]) {
      await assert.rejects(queue.publish(message("topic", "a", fields), durable), (error) => {
        assert.ok(error instanceof PlatformError);
        return error.code === "CS_VALIDATION_FAILED";
      });
    }
    await assert.rejects(queue.publish(message("to{pic", "a"), durable), { code: "CS_VALIDATION_FAILED" });
  });

  test("results for a gateway that is gone leave nothing behind", async () => {
    await using queue = await open("?prefix=gone:");
    const replies = await queue.openReplies();
    const address = replies.expect("req", () => assert.fail("nobody waits"));
    await replies[Symbol.asyncDispose]();
    assert.equal(queue.reply(address, "req", { text: "late" }), true, "it cannot be known");
    assert.equal(queue.reply("no name of ours", "req", { text: "late" }), false);
    await queue.check();
    await using other = await open("?prefix=gone:");
    await other.check();
    assert.deepEqual((await server().keys("gone:{*")).sort(), []);
  });

  test("an expired message is kept until its consumer has kept its end", async () => {
    await using queue = await open("?prefix=expired:");
    const topic = unique("topic");
    const old = message(topic, "old", { expires_at_ms: Date.now() - 1 });
    await queue.publish(old, durable);
    const { promise: kept, resolve } = Promise.withResolvers<void>();
    const heard: string[] = [];
    const subscription = await queue.consume({
      topic,
      leaseMs: 60_000,
      capacity: () => 1,
      accepts: () => true,
      deliver: () => assert.fail("it is too old"),
      onExpired(expired) {
        heard.push(expired.id);
        return kept;
      },
    });
    await eventually("it is heard of", () => heard.length === 1);
    assert.equal((await queue.lookup?.find(topic, old.tenant, old.id))?.id, old.id);
    resolve();
    await eventually("it is gone", async () => {
      return (await queue.lookup?.find(topic, old.tenant, old.id)) === undefined;
    });
    assert.deepEqual(heard, [old.id]);
    await subscription.close();
  });

  test("nothing is left of a topic whose messages are gone", async () => {
    await using queue = await open("?prefix=left:");
    const topic = unique("topic");
    const probe = await startProbe(queue, { topic, slots: 3 });
    for (const text of ["a", "b", "c"]) await queue.publish(message(topic, text), durable);
    await probe.drain(3);
    await eventually("all keys are gone", async () => (await server().keys("left:{*")).length === 0);
  });
});

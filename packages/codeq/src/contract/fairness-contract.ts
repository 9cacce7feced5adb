import assert from "node:assert/strict";
import test from "node:test";
import {
  type ContractBody,
  type ContractCodeQ,
  eventually,
  message,
  Probe,
  publishAll,
  startProbe,
  unique,
} from "./harness.ts";
import type { Delivery } from "../codeq.ts";

const texts = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

const countOf = (all: readonly string[], prefix: string): number =>
  all.filter((text) => text.startsWith(prefix)).length;

/** Whose message comes next: tenants by weight, lanes in turn, consumers by what they take. */
export function fairnessContract(open: () => Promise<ContractCodeQ>): void {
  test("a tenant with a hundred times the load does not starve another", async () => {
    await using queue = await open();
    const topic = unique("topic");
    await publishAll(queue, topic, texts("noisy", 500), { tenant: "t_noisy1" });
    await publishAll(queue, topic, texts("quiet", 5), { tenant: "t_quiet1" });
    const probe = await startProbe(queue, { topic });
    const first = await probe.drain(30);
    assert.equal(countOf(first, "quiet"), 5, "all of the small tenant's work is among the first");
  });

  test("many busy lanes give a tenant no larger share", async () => {
    await using queue = await open();
    const topic = unique("topic");
    for (let lane = 0; lane < 50; lane++) {
      await publishAll(queue, topic, texts("many", 2), { tenant: "t_many01", lane: `default/f${lane}` });
    }
    await publishAll(queue, topic, texts("single", 20), { tenant: "t_single" });
    const probe = await startProbe(queue, { topic });
    const first = await probe.drain(40);
    const share = countOf(first, "single");
    assert.ok(share >= 17, `${share} of the first 40 are the tenant's with one lane`);
  });

  test("weights set the shares of busy tenants", async () => {
    await using queue = await open();
    const topic = unique("topic");
    queue.setWeight("t_heavy1", 3);
    await publishAll(queue, topic, texts("heavy", 100), { tenant: "t_heavy1" });
    await publishAll(queue, topic, texts("light", 100), { tenant: "t_light1" });
    const probe = await startProbe(queue, { topic });
    const heavy = countOf(await probe.drain(80), "heavy");
    assert.ok(heavy >= 55 && heavy <= 65, `${heavy} of 80 for three quarters of the weight`);
    queue.setWeight("t_heavy1", 1);
  });

  test("lanes of a tenant take turns", async () => {
    await using queue = await open();
    const topic = unique("topic");
    await publishAll(queue, topic, texts("a", 100), { lane: "default/aaa" });
    await publishAll(queue, topic, texts("b", 10), { lane: "default/bbb" });
    await publishAll(queue, topic, texts("c", 10), { lane: "default/ccc" });
    const probe = await startProbe(queue, { topic });
    const first = await probe.drain(36);
    assert.equal(countOf(first, "b"), 10);
    assert.equal(countOf(first, "c"), 10);
  });

  test("no more is delivered than there is capacity for", async () => {
    await using queue = await open();
    const topic = unique("topic");
    await publishAll(queue, topic, texts("m", 10));
    const probe = await startProbe(queue, { topic, slots: 0 });
    await probe.quiet();
    probe.resize(3);
    for (let count = 0; count < 3; count++) await probe.next();
    await probe.quiet();
    assert.equal(probe.heldMost, 3);
  });

  test("a refused lane waits for wake while others go on", async () => {
    await using queue = await open();
    const topic = unique("topic");
    let closed = true;
    const accepts = ({ lane }: { lane: string }): boolean => lane !== "default/closed" || !closed;
    await publishAll(queue, topic, texts("closed", 3), { lane: "default/closed" });
    await publishAll(queue, topic, texts("open", 3), { lane: "default/open" });
    const probe = await startProbe(queue, { topic, accepts });
    assert.deepEqual(await probe.drain(3), texts("open", 3));
    await probe.quiet();
    closed = false;
    probe.subscription.wake({ tenant: "t_first1", lane: "default/closed" });
    assert.deepEqual(await probe.drain(3), texts("closed", 3));
  });

  test("one wake without a lane asks for every refused lane again", async () => {
    await using queue = await open();
    const topic = unique("topic");
    let closed = true;
    for (let lane = 0; lane < 300; lane++) {
      await publishAll(queue, topic, [`m${lane}`], {
        lane: `default/f${lane}`,
        tenant: `t_tenant${lane % 7}`,
      });
    }
    const probe = await startProbe(queue, { topic, slots: 1000, accepts: () => !closed });
    await probe.quiet();
    closed = false;
    probe.subscription.wake();
    await eventually("all are delivered", () => probe.deliveries.length === 300);
  });

  test("everything is delivered once, within the capacity, to consumers that work at the same time", async () => {
    await using queue = await open();
    const topic = unique("topic");
    const start = async (slots: number): Promise<Probe> => {
      const probe = new Probe(slots);
      const onDelivery = (delivery: Delivery<ContractBody>): void => {
        setTimeout(() => void delivery.ack().then(() => probe.release()), 1);
      };
      await probe.start(queue, { topic, onDelivery });
      return probe;
    };
    const probes = [await start(5), await start(3)];
    const sent = texts("m", 400);
    await Promise.all(
      sent.map((text, index) =>
        queue.publish(
          message(topic, text, { tenant: `t_tenant${index % 3}`, lane: `default/f${index % 11}` }),
          {
            depthMax: 1000,
            durable: index % 2 === 0,
          },
        ),
      ),
    );
    const seen = (): string[] => probes.flatMap((probe) => probe.texts);
    await eventually("all are delivered", () => seen().length >= 400);
    await eventually("all are acknowledged", async () => (await queue.depth(topic)).length === 0);
    assert.deepEqual(seen().sort(), sent.sort());
    assert.ok(probes[0] !== undefined && probes[0].heldMost <= 5 && probes[0].texts.length > 0);
    assert.ok(probes[1] !== undefined && probes[1].heldMost <= 3 && probes[1].texts.length > 0);
  });

  test("a closed subscription claims nothing more and keeps what it has", async () => {
    await using queue = await open();
    const topic = unique("topic");
    await publishAll(queue, topic, ["a", "b"]);
    const probe = await startProbe(queue, { topic });
    const delivery = await probe.next();
    await probe.subscription.close();
    probe.release();
    await probe.quiet();
    await delivery.ack();
    const other = await startProbe(queue, { topic });
    assert.equal(await other.done(), "b");
    await other.quiet();
  });
}

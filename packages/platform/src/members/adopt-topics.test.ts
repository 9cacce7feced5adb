import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createMemoryCodeQ, type Delivery, type Message } from "@sous/codeq";
import { createSqliteStore } from "@sous/store";
import { adoptTopics } from "./adopt-topics.ts";
import { memberKey } from "./announce-member.ts";
import { MEMBER_KIND } from "./member-record.ts";
import { member } from "./members.fixture.ts";
import type { Member, Membership } from "./membership.ts";

const TOPIC = "cs.invoke";

/** A queue and a store with some invokers that take care of others. */
async function world(t: { after(run: () => Promise<void>): void }, ids: readonly string[]) {
  const stack = new AsyncDisposableStack();
  t.after(() => stack.disposeAsync());
  const { resources } = stack.use(await createSqliteStore({ path: ":memory:" }));
  const codeq = stack.use(await createMemoryCodeQ<string, string>({ clock: Date.now }));
  let membership: Membership = { revision: 0, members: [], readMs: 0 };
  const listeners = new Set<() => void>();
  const taken: { by: string; delivery: Delivery<string> }[] = [];
  const faults: unknown[] = [];
  const adoptions = ids.map((id) =>
    stack.use(
      adoptTopics({
        id,
        topic: TOPIC,
        watch: {
          current: () => membership,
          onChange(listener) {
            const heard = (): void => listener(membership);
            listeners.add(heard);
            return () => void listeners.delete(heard);
          },
        },
        async consume(topic) {
          const subscription = await codeq.consume({
            topic,
            leaseMs: 60_000,
            capacity: () => 100,
            accepts: () => true,
            deliver: (delivery) => void taken.push({ by: id, delivery }),
            onExpired: () => {},
          });
          return () => subscription.close();
        },
        depth: (topic) => codeq.depth(topic),
        resources,
        intervalMs: 5,
        onFault: (error) => void faults.push(error),
      }),
    ),
  );
  const change = (members: Member[]): void => {
    membership = { revision: membership.revision + 1, members, readMs: 0 };
    for (const listener of listeners) listener();
  };
  const send = (to: string, id: string): Promise<void> => {
    const nowMs = Date.now();
    const message: Message<string> = {
      id,
      topic: `${TOPIC}.${to}`,
      tenant: "t_default",
      lane: "default/work",
      body: id,
      attempt: 1,
      enqueued_at_ms: nowMs,
      due_at_ms: 0,
      expires_at_ms: nowMs + 60_000,
    };
    return codeq.publish(message, { depthMax: 100, durable: false });
  };
  return { resources, adoptions, taken, faults, change, send };
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const endMs = Date.now() + 15_000; !(await holds()); await sleep(2)) {
    assert.ok(Date.now() < endMs, `did not happen: ${what}`);
  }
}

describe("topics of members that are gone", () => {
  test("are emptied by one of the others, and the record goes when nothing is left, not even a claim", async (t) => {
    const { resources, adoptions, taken, change, send } = await world(t, ["m-a", "m-b"]);
    await resources.create(MEMBER_KIND, memberKey("m-dead"), "{}", 9);
    await send("m-dead", "left-behind");
    const alive = [member("m-a"), member("m-b")];
    change([...alive, member("m-dead", { state: "lost" })]);
    await until("somebody takes it", () => taken.length === 1);
    const topics = adoptions.flatMap((adoption) => adoption.topics);
    assert.deepEqual(topics, ["cs.invoke.m-dead"], "one of them");
    await sleep(30);
    assert.ok(await resources.get(MEMBER_KIND, memberKey("m-dead")), "it is claimed still");
    await taken[0]?.delivery.ack();
    await until("the record goes", async () => !(await resources.get(MEMBER_KIND, memberKey("m-dead"))));
    change(alive);
    await until("nobody consumes it any more", () =>
      adoptions.every(({ topics: left }) => left.length === 0),
    );
  });

  test("of draining members are emptied at once, but the record is theirs", async (t) => {
    const { resources, taken, change, send } = await world(t, ["m-a"]);
    await resources.create(MEMBER_KIND, memberKey("m-leaves"), "{}", 9);
    await send("m-leaves", "waits");
    change([member("m-a"), member("m-leaves", { state: "draining", draining: true })]);
    await until("somebody takes it", () => taken.length === 1);
    await taken[0]?.delivery.ack();
    await sleep(30);
    assert.ok(await resources.get(MEMBER_KIND, memberKey("m-leaves")));
  });

  test("of live and late members are left alone, and one that comes back has its own again", async (t) => {
    const { adoptions, taken, change, send } = await world(t, ["m-a"]);
    await send("m-late", "not-mine");
    change([member("m-a"), member("m-late", { state: "late" }), member("m-live")]);
    await sleep(30);
    assert.equal(taken.length, 0);
    change([member("m-a"), member("m-late", { state: "lost" })]);
    await until("it is taken", () => taken.length === 1);
    change([member("m-a"), member("m-late")]);
    await until("it is given back", () => adoptions[0]?.topics.length === 0);
    await send("m-late", "its-own");
    await sleep(30);
    assert.equal(taken.length, 1);
  });

  test("of a record that changed meanwhile nothing is removed", async (t) => {
    const { resources, change } = await world(t, ["m-a"]);
    await resources.create(MEMBER_KIND, memberKey("m-back"), "{}", 9);
    await resources.replace(MEMBER_KIND, memberKey("m-back"), 1, "{}");
    change([member("m-a"), member("m-back", { state: "lost", generation: 1 })]);
    await sleep(30);
    assert.ok(await resources.get(MEMBER_KIND, memberKey("m-back")));
  });

  test("processes without an invoker leave only a record", async (t) => {
    const { resources, adoptions, change } = await world(t, ["m-a"]);
    await resources.create(MEMBER_KIND, memberKey("m-gateway"), "{}", 9);
    change([member("m-a"), member("m-gateway", { state: "lost", capacity: 0 })]);
    await until("the record goes", async () => !(await resources.get(MEMBER_KIND, memberKey("m-gateway"))));
    assert.deepEqual(adoptions[0]?.topics, []);
  });

  test("an invoker without a record of its own removes those of lost members, so that there is room for it", async (t) => {
    const { resources, change } = await world(t, ["i1"]);
    const lost = ["s1", "s2", "s3"].map((id) =>
      member(id, { state: "lost", roles: ["scheduler"], capacity: 0 }),
    );
    for (const { id } of lost) await resources.create(MEMBER_KIND, memberKey(id), "{}", 3);
    await assert.rejects(resources.create(MEMBER_KIND, memberKey("i1"), "{}", 3));
    change(lost);
    await until("their records to go", async () => {
      const left = await Promise.all(lost.map(({ id }) => resources.get(MEMBER_KIND, memberKey(id))));
      return left.every((record) => record === undefined);
    });
    await resources.create(MEMBER_KIND, memberKey("i1"), "{}", 3);
  });
});

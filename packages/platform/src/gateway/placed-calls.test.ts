import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createMemoryCodeQ, type Delivery } from "@sous/codeq";
import { type Invocation, LIMITS, PlatformError, TOPICS } from "@sous/contract";
import { createSqliteStore } from "@sous/store";
import type { InvocationCodeQ } from "../activations/invocation-queue.ts";
import type { InvocationReply } from "../activations/invocation-reply.ts";
import { LiveRegistry } from "../activations/live-registry.ts";
import { createPlacement, type PlacementDecision } from "../members/create-placement.ts";
import { hashText } from "../members/hash-text.ts";
import { member } from "../members/members.fixture.ts";
import type { Member } from "../members/membership.ts";
import { createIngress, type IngressRequest } from "./ingress.ts";
import { ingressRequest } from "./ingress-request.fixture.ts";

const WARM = { warm: new Set([hashText("t_default/default/work@1")]) };

const reply = (body: string): InvocationReply =>
  ({ status: "success", duration_ms: 1, result: { statusCode: 200, headers: {}, body } }) as InvocationReply;

type Handle = (delivery: Delivery<Invocation>, topic: string) => void;

/** A gateway with a placement, and a queue whose topics are taken by what a test says. */
async function world(t: { after(run: () => Promise<void>): void }, members: Member[]) {
  const stack = new AsyncDisposableStack();
  t.after(() => stack.disposeAsync());
  const codeq: InvocationCodeQ = stack.use(
    await createMemoryCodeQ<Invocation, InvocationReply>({ clock: Date.now }),
  );
  const store = stack.use(await createSqliteStore({ path: ":memory:" }));
  const decisions: PlacementDecision[] = [];
  const ingress = createIngress({
    codeq,
    store,
    live: new LiveRegistry(),
    replies: await codeq.openReplies(),
    limits: LIMITS,
    tier: "isolate",
    now: Date.now,
    placement: createPlacement({
      membership: () => ({ revision: 1, members, readMs: 0 }),
      topic: TOPICS.invoke,
      now: Date.now,
      onDecision: (decision) => decisions.push(decision),
    }),
  });
  const consume = (topic: string, handle: Handle) =>
    codeq.consume({
      topic,
      leaseMs: 60_000,
      capacity: () => 100,
      accepts: () => true,
      deliver: (delivery) => handle(delivery, topic),
      onExpired: () => {},
    });
  /** Answers with the topic it came by. */
  const answer: Handle = (delivery, topic) => {
    const { reply_to = "", activation_id } = delivery.message.body;
    codeq.reply(reply_to, activation_id, reply(topic));
    void delivery.ack();
  };
  const call = (fields: Partial<IngressRequest> = {}): Promise<InvocationReply | PlatformError> =>
    new Promise((settle) => ingress.sync(ingressRequest(fields), settle));
  return { codeq, decisions, consume, answer, call };
}

const from = (settled: InvocationReply | PlatformError): string =>
  settled instanceof PlatformError ? settled.code : (settled.result?.body ?? "");

const MINE = `${TOPICS.invoke}.m-a`;

describe("synchronous calls with a placement", () => {
  test("go to the topic of the member that was chosen, and its answer comes back", async (t) => {
    const { consume, answer, call, decisions } = await world(t, [member("m-a", WARM), member("m-b")]);
    await consume(MINE, answer);
    await consume(TOPICS.invoke, answer);
    assert.equal(from(await call()), MINE);
    assert.deepEqual(decisions, ["warm"]);
  });

  test("that their member does not begin are taken by others, soon, once, and it is left alone then", async (t) => {
    const { consume, answer, call, decisions } = await world(t, [member("m-a", WARM), member("m-b")]);
    let ran = 0;
    await consume(TOPICS.invoke, (delivery, topic) => {
      ran++;
      answer(delivery, topic);
    });
    await consume(`${TOPICS.invoke}.m-b`, answer);
    const begun = performance.now();
    const together = await Promise.all([call(), call()]);
    const tookMs = performance.now() - begun;
    assert.deepEqual(together.map(from), [TOPICS.invoke, TOPICS.invoke]);
    assert.equal(ran, 2);
    assert.ok(tookMs < LIMITS.syncWaitMaxMs, `${tookMs} ms`);
    const next = from(await call());
    assert.deepEqual(decisions, ["warm", "warm", "spread"]);
    assert.equal(next, `${TOPICS.invoke}.m-b`);
  });

  test("that have begun are never taken back, however long they run", async (t) => {
    const { consume, answer, call, codeq } = await world(t, [member("m-a", WARM), member("m-b")]);
    const taken: string[] = [];
    await consume(MINE, (delivery, topic) => {
      taken.push(topic);
      setTimeout(() => answer(delivery, topic), 500);
    });
    await consume(TOPICS.invoke, (delivery, topic) => {
      taken.push(topic);
      answer(delivery, topic);
    });
    assert.equal(from(await call()), MINE);
    assert.deepEqual(taken, [MINE]);
    assert.deepEqual(await codeq.depth(MINE), []);
  });

  test("with an Idempotency-Key all go to one topic, where the queue knows them by their id", async (t) => {
    const { consume, answer, call, decisions } = await world(t, [member("m-a", WARM), member("m-b")]);
    await consume(MINE, answer);
    await consume(TOPICS.invoke, answer);
    assert.equal(from(await call({ idempotencyKey: "a-key" })), TOPICS.invoke);
    assert.deepEqual(decisions, []);
  });

  test("that nobody takes end with their deadline, not with silence", async (t) => {
    const { call } = await world(t, [member("m-a", WARM), member("m-b")]);
    assert.equal(from(await call({ timeoutMs: 200 })), "CS_CODEQ_CORRELATION_TIMEOUT");
  });

  test("that were taken back and are too many for the shared queue are refused", async (t) => {
    const { codeq, call } = await world(t, [member("m-a", WARM), member("m-b")]);
    for (let at = 0; at < LIMITS.syncDepthMax; at++) {
      await codeq.publish(
        {
          id: `filler-${at}`,
          topic: TOPICS.invoke,
          tenant: "t_default",
          lane: "default/work",
          body: {} as Invocation,
          attempt: 1,
          enqueued_at_ms: Date.now(),
          due_at_ms: 0,
          expires_at_ms: Date.now() + 60_000,
        },
        { depthMax: LIMITS.syncDepthMax, durable: false },
      );
    }
    assert.equal(from(await call()), "CS_QUEUE_FULL");
  });
});

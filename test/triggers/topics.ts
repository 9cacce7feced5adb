import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { LIMITS } from "@sous/contract";
import { manifest, until } from "../support/api.ts";
import { SEEN, WORKERS } from "../support/event-api.ts";
import { assertLinked, type EventWorld, SEEN_REF } from "./event-world.ts";

/** What sources do with topics that functions publish to, and what every source does with its batches. */
export function describeTopics(world: () => EventWorld): void {
  test("every source of a topic gets every message that functions publish to it, and says so in the record", async () => {
    const { api, events, publish } = world();
    const of = { type: "codeq", codeq: { topic: "orders" }, ref: SEEN_REF };
    await events.create({ ...of, name: "sub-one" });
    await events.create({ ...of, name: "sub-two" });
    await publish("orders", [{ n: 1 }, { n: 2 }]);
    await events.seen("sub-one", 2);
    // Of a source that was just made nothing is missed, though others of its topic are read already.
    await events.create({ ...of, name: "sub-late" });
    await publish("orders", [{ n: 3 }]);
    for (const [name, numbers] of [
      ["sub-one", [1, 2, 3]],
      ["sub-two", [1, 2, 3]],
      ["sub-late", [3]],
    ] as const) {
      const seen = await events.seen(name, numbers.length);
      const got = seen.map(({ body }) => body.n).toSorted();
      assert.deepEqual(got.slice(-numbers.length), numbers, name);
      const [first] = seen;
      assert.match(String(first?.messageId), /^msg_/);
      await assertLinked(api, first, { source: name, type: "codeq", message: String(first?.messageId) });
      const { trigger } = await api.activation(String(first?.activationId));
      const [publisher] = (trigger as { source: { published_by: string[] } }).source.published_by;
      assert.equal((await api.activation(String(publisher))).status, "success", "who published it is named");
    }
    await until(async () => (await events.status("sub-one")).succeeded === 3, "all of them are counted");
    const { state, failed, last_activation_id } = await events.status("sub-one");
    assert.deepEqual([state, failed], ["running", 0]);
    assert.equal((await api.activation(String(last_activation_id))).status, "success");
  });

  test("a poisoned batch isolates the one bad message, which becomes a dead letter and reaches on_failure", async () => {
    const { api, events, publish } = world();
    await events.deploySeen("picky");
    await events.create({
      name: "poisoned",
      type: "codeq",
      codeq: { topic: "poison" },
      ref: { function: "picky", alias: "prod" },
      batch_size: 8,
      batch_window_ms: 500,
      retry: { max_attempts: 2, backoff_ms: 10 },
      on_failure: { function: "seen@prod" },
    });
    await publish(
      "poison",
      Array.from({ length: 8 }, (_, n) => (n === 5 ? { n, fail: true } : { n })),
    );
    const good = await events.seen("poisoned", 7);
    assert.deepEqual(
      good.map(({ body }) => body.n).toSorted((a, b) => a - b),
      [0, 1, 2, 3, 4, 6, 7],
    );
    await until(async () => (await events.status("poisoned")).failed === 1, "the bad one is given up");
    const { items } = await api.expect<{ items: { activation_id: string; reason: string }[] }>(
      200,
      "GET",
      "/v1/tenants/t_default/namespaces/default/dlq?function=picky",
    );
    assert.equal(items.length, 1, JSON.stringify(items));
    assert.match(items[0]?.reason ?? "", /poison 5/);
    const told = await events.destination(1);
    assert.deepEqual(
      told[0]?.requestPayload.Records.map(({ body }) => body.n),
      [5],
    );
  });

  test("a message that waited for longer than max_record_age_ms is not run: it is a dead letter, and on_failure hears of it", async () => {
    const { api, events, pause, publish } = world();
    await events.deploySeen("prompt");
    await events.create({
      name: "aged",
      type: "codeq",
      codeq: { topic: "age" },
      ref: { function: "prompt", alias: "prod" },
      max_record_age_ms: 1000,
      on_failure: { function: "seen@prod" },
    });
    await publish("age", [{ n: 70 }]);
    await events.seen("aged", 1);
    await pause("aged");
    await publish("age", [{ n: 71 }]);
    await sleep(1500);
    await api.expect(200, "POST", `${events.path}/aged:resume`);
    await until(async () => (await events.status("aged")).failed === 1, "it is given up");
    const { items } = await api.expect<{ items: { activation_id: string; reason: string }[] }>(
      200,
      "GET",
      "/v1/tenants/t_default/namespaces/default/dlq?function=prompt",
    );
    assert.deepEqual(
      [items.length, /Expired/.test(items[0]?.reason ?? "")],
      [1, true],
      JSON.stringify(items),
    );
    const isTold = async (): Promise<boolean> =>
      (await events.destination(1)).some(({ requestPayload }) =>
        requestPayload.Records.some(({ body }) => body.n === 71),
      );
    await until(isTold, "on_failure hears of it");
    assert.equal((await events.seen("aged", 1)).length, 1, "it did not run");
  });

  test("what waits in the queue for longer than its version's max_age_ms runs when there is room", async () => {
    const { api, events, publish } = world();
    const { "function.js": code } = SEEN;
    const limits = { timeoutMs: 5000, maxConcurrency: 1 };
    const capabilities = { kv: { prefixes: ["seen/"], ops: ["get", "set"] } };
    await api.deploy({
      name: "narrow",
      files: { "manifest.json": manifest({ limits, capabilities }), "function.js": code },
      config: { authz: WORKERS, retry: { max_attempts: 1, max_age_ms: 500 } },
    });
    await events.create({
      name: "crowded",
      type: "codeq",
      codeq: { topic: "crowd" },
      ref: { function: "narrow", alias: "prod" },
      batch_size: 1,
      parallelism: 4,
      retry: { max_attempts: 1 },
    });
    await publish(
      "crowd",
      [0, 1, 2, 3].map((n) => ({ n, waitMs: 700 })),
    );
    await events.seen("crowded", 4);
    await until(async () => (await events.status("crowded")).succeeded === 4, "all of them went well");
  });

  test("what the function reports as failed is tried again alone, the rest is done", async () => {
    const { events, publish } = world();
    await events.create({
      name: "reported",
      type: "codeq",
      codeq: { topic: "report" },
      ref: SEEN_REF,
      batch_window_ms: 300,
      retry: { max_attempts: 3, backoff_ms: 10 },
    });
    await publish("report", [{ n: 1 }, { n: 2, reportUntil: 2 }, { n: 3 }]);
    const good = await events.seen("reported", 3);
    assert.deepEqual(good.map(({ body }) => body.n).toSorted(), [1, 2, 3]);
    await until(async () => (await events.status("reported")).succeeded === 3, "all of them are counted");
    assert.equal((await events.status("reported")).failed, 0);
  });

  test("of a batch that stays whole only what the function reported in its last attempt is a dead letter", async () => {
    const { api, events, publish } = world();
    await events.deploySeen("frank");
    await events.create({
      name: "whole",
      type: "codeq",
      codeq: { topic: "whole" },
      ref: { function: "frank", alias: "prod" },
      batch_size: 2,
      batch_window_ms: 2000,
      bisect_on_error: false,
      retry: { max_attempts: 1 },
    });
    await publish("whole", [{ n: 1 }, { n: 2, reportUntil: 99 }]);
    await until(async () => (await events.status("whole")).failed === 1, "one is given up");
    const [good] = await events.seen("whole", 1);
    assert.deepEqual([good?.body.n, good?.runs], [1, 1]);
    const { items } = await api.expect<{ items: { activation_id: string }[] }>(
      200,
      "GET",
      "/v1/tenants/t_default/namespaces/default/dlq?function=frank",
    );
    assert.equal(items.length, 1, JSON.stringify(items));
    const { trigger } = await api.activation(String(items[0]?.activation_id));
    const { messages, message_id } = (trigger as { source: Record<string, unknown> }).source;
    assert.equal(messages, 1);
    assert.notEqual(message_id, good?.messageId);
  });

  test("filters drop what they do not take", async () => {
    const { events, publish } = world();
    await events.create({
      name: "filtered",
      type: "codeq",
      codeq: { topic: "filter" },
      ref: SEEN_REF,
      filters: [{ body: { n: [{ numeric: [">=", 10] }], region: [{ prefix: "eu-" }] } }],
    });
    await publish("filter", [
      { n: 10, region: "eu-1" },
      { n: 9, region: "eu-1" },
      { n: 11, region: "us-1" },
      { n: 12, region: "eu-2" },
    ]);
    assert.deepEqual((await events.seen("filtered", 2)).map(({ body }) => body.n).toSorted(), [10, 12]);
    await until(async () => (await events.status("filtered")).filtered === 2, "two are dropped");
  });

  test("a slow function does not stop the other sources", async () => {
    const { api, events, publish } = world();
    const slow = { type: "codeq", codeq: { topic: "slow" }, batch_size: 1, parallelism: 10 };
    await events.create({ ...slow, name: "sluggish", ref: { function: "slow", alias: "prod" } });
    await events.create({ name: "quick", type: "codeq", codeq: { topic: "quick" }, ref: SEEN_REF });
    await publish(
      "slow",
      Array.from({ length: 60 }, (_, n) => ({ n, waitMs: 4000 })),
    );
    await until(async () => (await events.status("sluggish")).in_flight > 0, "the slow one is busy");
    await publish("quick", [{ n: 1 }]);
    await events.seen("quick", 1);
    // All of the slow ones take 24 seconds at least.
    const { succeeded, in_flight } = await events.status("sluggish");
    assert.ok(succeeded < 60 && in_flight > 0, `${succeeded} done, ${in_flight} in flight`);
    await api.expect(200, "DELETE", `${events.path}/sluggish`);
  });

  test("a paused source keeps its messages until it is resumed, and a rollback moves it with its alias", async () => {
    const { api, events, pause, publish } = world();
    await events.deploySeen("moved");
    const ref = { function: "moved", alias: "prod" };
    await events.create({ name: "mover", type: "codeq", codeq: { topic: "move" }, ref });
    await publish("move", [{ n: 1 }]);
    await events.seen("mover", 1);
    await pause("mover");
    await publish("move", [{ n: 2 }]);
    await events.deploySeen("moved", "second");
    await sleep(LIMITS.aliasCacheTtlMs);
    await api.expect(200, "POST", `${events.path}/mover:resume`);
    const seen = await events.seen("mover", 2);
    assert.deepEqual(
      seen.map(({ body, version }) => [body.n, version]),
      [
        [1, 1],
        [2, 2],
      ],
    );
    await api.expect(200, "PUT", `${api.scope()}/moved/aliases/prod`, { version: 1 });
    await sleep(LIMITS.aliasCacheTtlMs);
    await publish("move", [{ n: 3 }]);
    const last = (await events.seen("mover", 3)).find(({ body }) => body.n === 3);
    assert.equal(last?.version, 1);
    assert.equal((await api.activation(last.activationId))["resolved_version"], 1);
  });

  test("without a role for events nothing is lost: the source says why, and goes on when it may", async () => {
    const { api, events, publish } = world();
    await api.deploy({
      name: "closed",
      files: SEEN,
      config: {
        authz: { invoke_http_roles: ["admin"], invoke_schedule_roles: [], invoke_cadence_roles: [] },
      },
    });
    const ref = { function: "closed", alias: "prod" };
    await events.create({ name: "waiter", type: "codeq", codeq: { topic: "wait" }, ref });
    await publish("wait", [{ n: 1 }]);
    await until(async () => (await events.status("waiter")).state === "failing", "it says so");
    assert.match((await events.status("waiter")).last_error?.message ?? "", /role list/);
    await events.publishSeen("closed");
    assert.deepEqual(
      (await events.seen("waiter", 1)).map(({ body }) => body),
      [{ n: 1 }],
    );
    await until(async () => (await events.status("waiter")).state === "running", "it is well again");
  });
}

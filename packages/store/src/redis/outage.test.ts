import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "@sous/contract";
import { sampleSchedule } from "../contract-suite/schedule-suite.ts";
import {
  finished,
  HELLO,
  NOW_MS,
  publishSample,
  sampleActivation,
  sampleEntry,
  sampleFunction,
} from "../contract-suite/samples.ts";
import type { Store } from "../store.ts";
import { startProxy, withRedis } from "../testing/index.ts";
import { createRedisStore } from "./redis-store.ts";

const PATIENCE_MS = 10_000;

async function open(url: string) {
  const errors: PlatformError[] = [];
  const warnings: string[] = [];
  const store = await createRedisStore({
    url: `${url}?prefix=${randomUUID()}:`,
    onError: (error) => void errors.push(error),
    onWarning: (text) => void warnings.push(text),
  });
  return { store, errors, warnings, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

const isUnavailable = (error: unknown): boolean => {
  assert.ok(error instanceof PlatformError);
  assert.equal(error.code, "CS_STORE_UNAVAILABLE");
  assert.equal(error.status, 503);
  return true;
};

async function worksAgain(store: Store): Promise<void> {
  const endMs = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await store.check();
    } catch (error) {
      isUnavailable(error);
      assert.ok(Date.now() < endMs, "the store does not come back");
      await sleep(20);
    }
  }
}

withRedis({ durable: true }, (server) => {
  test("what has settled survives a kill -9 of the server, whole ticks of it, and the store goes on by itself", async () => {
    await using opened = await open(server().url);
    const { store, errors } = opened;
    assert.deepEqual(opened.warnings, []);
    await store.functions.create(sampleFunction());
    await publishSample(store);
    const settled: string[] = [];
    const writing = (async () => {
      for (let n = 0; ; n++) {
        const record = sampleActivation({ activation_id: `act_${n}` });
        try {
          await Promise.all([
            store.journal.append(sampleEntry(`act_${n}`)),
            store.activations.finish(finished(record)),
            store.logs.append(record.tenant, record.activation_id, [`line ${n}`]),
          ]);
          settled.push(record.activation_id);
        } catch (error) {
          isUnavailable(error);
          return;
        }
      }
    })();
    while (settled.length < 30) await sleep(1);
    await server().kill();
    await writing;
    const begunMs = Date.now();
    await assert.rejects(store.check(), isUnavailable);
    await assert.rejects(store.functions.get(HELLO), isUnavailable);
    await assert.rejects(store.kv.set(HELLO, "a", "1", null), isUnavailable);
    assert.ok(Date.now() - begunMs < 1000, "nobody is kept waiting");
    await server().restart();
    await worksAgain(store);
    const entries = new Set((await store.journal.load()).map(({ id }) => id));
    for (const id of settled) assert.ok(entries.has(id), `${id} had settled and is lost`);
    // The tick that was cut off may have arrived or not, but never in part.
    for (const id of entries) {
      assert.equal(
        (await store.activations.get("t_default", id))?.status,
        "success",
        `${id} lost its record`,
      );
      assert.equal((await store.logs.read("t_default", id, 0, 9)).length, 1);
    }
    assert.equal(await publishSample(store), 2, "scripts are known again");
    assert.ok(errors.length >= 1 && errors.length <= 3, `${errors.length} reports of one outage`);
  });

  test("cut connections refuse what was on its way, and nothing is written twice", async () => {
    await using proxy = await startProxy(server().port);
    await using opened = await open(`redis://127.0.0.1:${proxy.port}`);
    const { store } = opened;
    const id = "act_cut";
    let [lines, refused] = [0, 0];
    for (let n = 0; n < 200; n++) {
      if (n % 40 === 20) setImmediate(() => proxy.cut());
      await store.logs.append("t_default", id, [String(n)]).then(
        () => lines++,
        (error: unknown) => {
          isUnavailable(error);
          assert.deepEqual((error as PlatformError).details, { outcome: "unknown" });
          refused++;
        },
      );
      if (refused > 0) await worksAgain(store);
    }
    assert.ok(refused > 0, "a connection was cut under a write");
    const kept = await store.logs.read("t_default", id, 0, 1000);
    assert.equal(new Set(kept).size, kept.length, "no line is there twice");
    assert.ok(kept.length >= lines && kept.length <= lines + refused);
  });

  test("a term of leadership and what it fences survive a kill of the server, and a term that is over stays over", async () => {
    await using opened = await open(server().url);
    const { store } = opened;
    const old = await store.leases.acquire("scheduler", "one", NOW_MS, NOW_MS + 5000);
    await store.leases.release("scheduler", old ?? 0);
    const epoch = await store.leases.acquire("scheduler", "two", NOW_MS, NOW_MS + 5000);
    assert.ok(old !== undefined && epoch !== undefined);
    const record = sampleSchedule("nightly");
    await store.schedules.create(record, { next_tick_ms: NOW_MS, due_at_ms: NOW_MS });
    const step = async (fencedBy: number): Promise<boolean> => {
      const read = await store.schedules.get(record);
      assert.ok(read !== undefined);
      const next = {
        ...read.state,
        tick_seq: read.state.tick_seq + 1,
        inflight: `act_${read.state.tick_seq}`,
      };
      return await store.schedules.advance(read, next, { lease: "scheduler", epoch: fencedBy });
    };
    let steps = 0;
    const stepping = (async () => {
      try {
        for (;;) {
          assert.equal(await step(epoch), true);
          steps++;
        }
      } catch (error) {
        isUnavailable(error);
      }
    })();
    while (steps < 30) await sleep(1);
    await server().kill();
    await stepping;
    await assert.rejects(store.leases.renew("scheduler", epoch, NOW_MS + 9000), isUnavailable);
    await assert.rejects(store.schedules.due(NOW_MS, { limit: 1 }), isUnavailable);
    await server().restart();
    await worksAgain(store);
    assert.deepEqual(await store.leases.read("scheduler"), { holder: "two", epoch, until_ms: NOW_MS + 5000 });
    const { state } = (await store.schedules.get(record)) ?? assert.fail("the schedule is lost");
    // The step that was cut off may have arrived or not.
    assert.ok(state.tick_seq === steps + 1 || state.tick_seq === steps + 2, `${state.tick_seq} of ${steps}`);
    assert.equal(state.inflight, `act_${state.tick_seq - 1}`, "never half of a step");
    assert.deepEqual((await store.schedules.due(NOW_MS, { limit: 5 })).items, [{ record, state }]);
    assert.equal(await step(old), false);
    assert.equal(await step(epoch), true);
    assert.equal(await store.leases.renew("scheduler", epoch, NOW_MS + 9000), true);
  });

  test("a lost answer moves a schedule once or not at all, and whoever reads again goes on", async () => {
    await using proxy = await startProxy(server().port);
    await using opened = await open(`redis://127.0.0.1:${proxy.port}`);
    const { store } = opened;
    const record = sampleSchedule("nightly");
    await store.schedules.create(record, { next_tick_ms: NOW_MS, due_at_ms: NOW_MS });
    let [applied, lost] = [0, 0];
    for (let n = 0; n < 120; n++) {
      const read = (await store.schedules.get(record)) ?? assert.fail("it is gone");
      if (n % 30 === 15) setImmediate(() => proxy.cut());
      const next = { ...read.state, tick_seq: read.state.tick_seq + 1 };
      await store.schedules.advance(read, next, undefined).then(
        (did) => (applied += Number(did)),
        (error: unknown) => {
          isUnavailable(error);
          lost++;
        },
      );
      if (lost > 0) await worksAgain(store);
    }
    assert.ok(lost > 0, "a connection was cut under a step");
    const { state } = (await store.schedules.get(record)) ?? assert.fail("it is gone");
    assert.ok(
      state.tick_seq - 1 >= applied && state.tick_seq - 1 <= applied + lost,
      `${state.tick_seq}, ${applied}`,
    );
  });

  test("a server that says nothing any more is given up: nobody waits for ever", async () => {
    await using proxy = await startProxy(server().port);
    await using opened = await open(`redis://127.0.0.1:${proxy.port}`);
    const { store } = opened;
    proxy.hold(true);
    const begunMs = Date.now();
    await Promise.all([
      assert.rejects(store.kv.set(HELLO, "a", "1", null), isUnavailable),
      assert.rejects(store.kv.get(HELLO, "a", NOW_MS), isUnavailable),
    ]);
    assert.ok(Date.now() - begunMs < 5000);
    proxy.hold(false);
    await worksAgain(store);
    await store.kv.set(HELLO, "a", "2", null);
    assert.equal(await store.kv.get(HELLO, "a", NOW_MS), "2");
  });

  test("a server that cannot be reached is named without its password, and one without a log is warned of", async () => {
    await assert.rejects(createRedisStore({ url: "redis://:hunter2@127.0.0.1:1" }), (error: Error) => {
      isUnavailable(error);
      assert.match(error.message, /127\.0\.0\.1:1/);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    });
  });
});

withRedis({}, (server) => {
  test("a server without an append-only file is named in a warning", async () => {
    await using opened = await open(server().url);
    assert.match(opened.warnings.join(), /append-only/);
  });

  test("a server that throws keys away when it is full is named in a warning", async () => {
    await server().configure("maxmemory", "200mb");
    await server().configure("maxmemory-policy", "allkeys-lru");
    await using opened = await open(server().url);
    assert.match(opened.warnings.join(), /the store's server throws keys away .*noeviction/);
    await server().configure("maxmemory-policy", "noeviction");
    await using again = await open(server().url);
    assert.doesNotMatch(again.warnings.join(), /throws keys away/);
    await server().configure("maxmemory", "0");
  });

  test("past its bound what waits is refused, and what was taken is written", async () => {
    const url = `${server().url}?prefix=${randomUUID()}:`;
    await using store = await createRedisStore({ url, unwrittenMax: 10 });
    const sets = Array.from({ length: 15 }, (_, n) => store.kv.set(HELLO, `k${n}`, "1", null));
    const results = await Promise.allSettled(sets);
    for (const [n, result] of results.entries()) {
      assert.equal(result.status, n < 10 ? "fulfilled" : "rejected");
      if (result.status === "rejected") isUnavailable(result.reason);
    }
    assert.equal((await store.kv.list(HELLO, "", NOW_MS, { limit: 50 })).items.length, 10);
    await store.kv.set(HELLO, "again", "1", null);
  });

  test("a server that is full refuses writes with 503 and goes on with reads", async () => {
    await using opened = await open(server().url);
    const { store } = opened;
    await store.kv.set(HELLO, "a", "1", null);
    await server().configure("maxmemory", "1mb");
    await assert.rejects(store.kv.set(HELLO, "b", "1", null), isUnavailable);
    await assert.rejects(store.check(), isUnavailable);
    assert.equal(await store.kv.get(HELLO, "a", NOW_MS), "1");
    await server().configure("maxmemory", "0");
    await store.kv.set(HELLO, "b", "1", null);
  });
});

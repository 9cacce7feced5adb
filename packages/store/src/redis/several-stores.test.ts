import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { sampleSchedule } from "../contract-suite/schedule-suite.ts";
import {
  everyPage,
  finished,
  HELLO,
  NOW_MS,
  publishSample,
  sampleActivation,
  sampleBundle,
  sampleDraft,
  sampleEntry,
  sampleFunction,
  sampleVersion,
  withCode,
} from "../contract-suite/samples.ts";
import { withRedis } from "../testing/index.ts";
import { createRedisStore } from "./redis-store.ts";

const TENANT = HELLO.tenant;

/** What only several processes on one server show: here several stores, each with a connection of its own. */
withRedis({}, (server) => {
  const open = (
    prefix: string,
    options: { kvNamespaceBytesMax?: number; secretsPerNamespaceMax?: number } = {},
  ) => createRedisStore({ url: `${server().url}?prefix=${prefix}:`, onError: assert.fail, ...options });

  test("publishes of two processes at once get one number each, none twice and none left out", async () => {
    const prefix = randomUUID();
    await using one = await open(prefix);
    await using two = await open(prefix);
    await one.functions.create(sampleFunction());
    const each = 70;
    const requests = await Promise.all(
      Array.from({ length: 2 * each }, async (_, at) => {
        const bundle = sampleBundle(`// ${at}`);
        const draft = sampleDraft(bundle);
        await two.drafts.put(HELLO, draft, bundle);
        return {
          key: HELLO,
          draftId: draft.draft_id,
          version: sampleVersion(draft),
          alias: "prod",
          nowMs: NOW_MS,
        };
      }),
    );
    const published = await Promise.all(
      requests.map((request, at) => (at % 2 === 0 ? one : two).versions.publish(request)),
    );
    const numbers = published.map(({ version }) => version).toSorted((a, b) => a - b);
    assert.deepEqual(
      numbers,
      Array.from({ length: 2 * each }, (_, at) => at + 1),
    );
    for (const record of published) assert.deepEqual(await one.versions.get(HELLO, record.version), record);
    assert.equal((await one.aliases.get(HELLO, "prod"))?.version, 2 * each);
    assert.equal(await publishSample(two), 2 * each + 1);
  });

  test("a draft is published once, whoever asks", async () => {
    const prefix = randomUUID();
    await using one = await open(prefix);
    await using two = await open(prefix);
    await one.functions.create(sampleFunction());
    for (let round = 0; round < 10; round++) {
      const bundle = sampleBundle(`// ${round}`);
      const draft = sampleDraft(bundle);
      await one.drafts.put(HELLO, draft, bundle);
      const request = { key: HELLO, draftId: draft.draft_id, version: sampleVersion(draft), nowMs: NOW_MS };
      const results = await Promise.allSettled([one, two].map((store) => store.versions.publish(request)));
      assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
    }
    assert.equal((await two.versions.latest(HELLO))?.version, 10);
  });

  test("of all who end an activation one wins, and its record stays", async () => {
    const prefix = randomUUID();
    await using one = await open(prefix);
    await using two = await open(prefix);
    for (let round = 0; round < 20; round++) {
      const record = sampleActivation();
      if (round % 2 === 0) await one.activations.create(record);
      const ends = [one, two, one, two].map((store, at) =>
        store.activations.finish(
          finished(record, at % 2 === 0 ? "success" : "timeout", { end_ms: NOW_MS + at }),
        ),
      );
      const won = (await Promise.all(ends)).indexOf(true);
      assert.equal((await Promise.all(ends)).filter(Boolean).length, 1);
      for (const store of [one, two]) {
        assert.equal((await store.activations.get(TENANT, record.activation_id))?.end_ms, NOW_MS + won);
      }
    }
    assert.deepEqual(await one.activations.unfinished(10), []);
  });

  test("a namespace's quota and its number of secrets hold for all processes together", async () => {
    const prefix = randomUUID();
    const bounds = { kvNamespaceBytesMax: 1000, secretsPerNamespaceMax: 10 };
    await using one = await open(prefix, bounds);
    await using two = await open(prefix, bounds);
    const both = [one, two];
    const writes = Array.from({ length: 60 }, (_, at) =>
      (both[at % 2] ?? one).kv.set(HELLO, `key-${at % 30}`, JSON.stringify("x".repeat(60)), null),
    );
    const puts = Array.from({ length: 30 }, (_, at) =>
      (both[at % 2] ?? one).secrets.put(HELLO, { name: `s${at}`, sealed: "x", key_id: "k" }, NOW_MS),
    );
    const [written, put] = await Promise.all([Promise.allSettled(writes), Promise.allSettled(puts)]);
    for (const result of written) {
      if (result.status === "rejected") assert.equal(result.reason.code, "CS_PAYLOAD_TOO_LARGE");
    }
    assert.equal(put.filter(({ status }) => status === "rejected").length, 20);
    const keys = (await everyPage(500, (page) => two.kv.list(HELLO, "", NOW_MS, page))).flat();
    const bytes = keys.reduce((sum, key) => sum + key.length + 62, 0);
    assert.ok(bytes <= 1000 && bytes > 900, `${bytes} bytes of 1000`);
    for (const key of keys) await one.kv.delete(HELLO, key);
    await two.kv.set(HELLO, "k", JSON.stringify("x".repeat(997)), null);
    await assert.rejects(one.kv.set(HELLO, "l", "1", null), withCode("CS_PAYLOAD_TOO_LARGE"));
  });

  test("a tick of one process is seen by another as a whole or not at all", async () => {
    const prefix = randomUUID();
    await using one = await open(prefix);
    await using two = await open(prefix);
    for (let round = 0; round < 30; round++) {
      const records = [sampleActivation(), sampleActivation({ tenant: "t_other1" })];
      const written = Promise.all([
        ...records.map((record) => one.activations.finish(finished(record))),
        one.journal.append(sampleEntry(`msg_${round}`)),
      ]);
      const progress = { settled: false };
      void written.finally(() => (progress.settled = true));
      while (!progress.settled) {
        const entries = await two.journal.load();
        if (!entries.some(({ id }) => id === `msg_${round}`)) continue;
        for (const { tenant, activation_id: id } of records) {
          assert.ok(await two.activations.get(tenant, id), "the entry is there, a record is not");
        }
      }
      await written;
    }
  });

  test("what one process has written another reads at once", async () => {
    const prefix = randomUUID();
    await using one = await open(prefix);
    await using two = await open(prefix);
    for (let n = 0; n < 50; n++) {
      await one.kv.set(HELLO, "n", String(n), null);
      assert.equal(await two.kv.get(HELLO, "n", NOW_MS), String(n));
    }
  });

  test("two sweeps at once remove everything once", async () => {
    const prefix = randomUUID();
    await using one = await open(prefix);
    await using two = await open(prefix);
    const count = 450;
    await Promise.all(
      Array.from({ length: count }, () => one.activations.finish(finished(sampleActivation()))),
    );
    const far = NOW_MS + 30 * 24 * 3600 * 1000;
    const removed = await Promise.all([one.sweep(far), two.sweep(far)]);
    assert.equal((removed[0] ?? 0) + (removed[1] ?? 0), count);
    // Sequences stay; of the records nothing does.
    assert.deepEqual(await server().keys(`${prefix}:*`), [`${prefix}:act:seq`]);
  });

  test("stores with other prefixes on one server do not see each other", async () => {
    await using one = await open(randomUUID());
    await using two = await open(randomUUID());
    await one.functions.create(sampleFunction());
    assert.equal(await two.functions.get(HELLO), undefined);
    await two.functions.create(sampleFunction());
  });

  test("of two processes one gets a lease, and one moves a schedule on", async () => {
    const prefix = randomUUID();
    await using one = await open(prefix);
    await using two = await open(prefix);
    const both = [one, two];
    const record = sampleSchedule("nightly");
    await one.schedules.create(record, { next_tick_ms: NOW_MS, due_at_ms: NOW_MS });
    for (let round = 0; round < 20; round++) {
      const epochs = await Promise.all(
        both.map((store, at) => store.leases.acquire("scheduler", `p${at}`, NOW_MS, NOW_MS + 10)),
      );
      const [epoch, ...more] = epochs.filter((held) => held !== undefined);
      assert.ok(epoch !== undefined && more.length === 0, "exactly one");
      const read = (await two.schedules.get(record)) ?? assert.fail("it is gone");
      const next = { ...read.state, tick_seq: read.state.tick_seq + 1 };
      const fence = { lease: "scheduler", epoch };
      const moved = await Promise.all(both.map((store) => store.schedules.advance(read, next, fence)));
      assert.deepEqual(moved.toSorted(), [false, true]);
      await two.leases.release("scheduler", epoch);
      assert.equal(await one.schedules.advance({ record, state: next }, next, fence), false, "released");
    }
  });

  test("of two processes that change a resource at once one does, and a namespace never holds too many", async () => {
    const prefix = randomUUID();
    await using one = await open(prefix);
    await using two = await open(prefix);
    const creates = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) =>
        (n % 2 === 0 ? one : two).resources.create("member", { ...HELLO, name: `name${n}` }, "{}", 7),
      ),
    );
    assert.equal(creates.filter(({ status }) => status === "fulfilled").length, 7);
    const { items } = await one.resources.list("member", HELLO, { limit: 20 });
    assert.equal(items.length, 7);
    for (const { key } of items) {
      const changes = [one, two, one, two].map((store, n) =>
        store.resources.replace("member", key, 1, `${n}`),
      );
      assert.equal((await Promise.all(changes)).filter(Boolean).length, 1);
    }
  });
});

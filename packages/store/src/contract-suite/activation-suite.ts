import assert from "node:assert/strict";
import type { StoreTest } from "./open-store.ts";
import { DAY_MS, everyPage, finished, NOW_MS, sampleActivation, withCode } from "./samples.ts";

/** Activation records: compare-and-set, lists, recovery, sweeping. */
export function activationSuite(storeTest: StoreTest): void {
  storeTest("a queued record is created once and read back as it was", async (store) => {
    const record = sampleActivation({
      traceparent: "00-a-b-01",
      trigger: { type: "http", source: { n: 1 } },
    });
    await store.activations.create(record);
    assert.deepStrictEqual(await store.activations.get(record.tenant, record.activation_id), record);
    await assert.rejects(store.activations.create(record), withCode("CS_CONFLICT"));
    assert.equal(await store.activations.get("t_other1", record.activation_id), undefined);
  });

  storeTest("a record goes from queued over running and a second attempt to its end", async (store) => {
    const queued = sampleActivation();
    const id = queued.activation_id;
    await store.activations.create(queued);
    const running = { ...queued, status: "running" as const, start_ms: NOW_MS + 1 };
    assert.equal(await store.activations.update(running), true);
    const again = { ...queued, attempt: 2 };
    assert.equal(await store.activations.update(again), true);
    assert.equal(await store.activations.update(running), false, "an update of an older attempt");
    assert.equal(await store.activations.finish(finished(running)), false, "the end of an older attempt");
    assert.deepStrictEqual(await store.activations.get(queued.tenant, id), again);
    assert.equal(await store.activations.finish(finished(again, "error")), true);
    assert.deepStrictEqual(await store.activations.get(queued.tenant, id), finished(again, "error"));
  });

  storeTest("a terminal record never changes", async (store) => {
    const queued = sampleActivation();
    await store.activations.create(queued);
    const timeout = finished(queued, "timeout");
    assert.equal(await store.activations.finish(timeout), true);
    assert.equal(await store.activations.finish(finished(queued, "success", { attempt: 9 })), false);
    assert.equal(await store.activations.update({ ...queued, status: "running", attempt: 9 }), false);
    await assert.rejects(store.activations.create(queued), withCode("CS_CONFLICT"));
    assert.deepStrictEqual(await store.activations.get(queued.tenant, queued.activation_id), timeout);
  });

  storeTest("a synchronous call is inserted by its end, and only once", async (store) => {
    const record = sampleActivation({ mode: "sync" });
    const twice = [
      store.activations.finish(finished(record, "success")),
      store.activations.finish(finished(record, "error")),
    ];
    assert.deepStrictEqual(await Promise.all(twice), [true, false]);
    const kept = await store.activations.get(record.tenant, record.activation_id);
    assert.equal(kept?.status, "success");
  });

  storeTest("an update of a record that is not there does not apply", async (store) => {
    assert.equal(await store.activations.update(sampleActivation({ status: "running" })), false);
  });

  storeTest("the same id in two tenants is two records", async (store) => {
    const ours = sampleActivation();
    const theirs = sampleActivation({ activation_id: ours.activation_id, tenant: "t_other1" });
    await store.activations.create(ours);
    await store.activations.create(theirs);
    assert.equal(await store.activations.finish(finished(theirs)), true);
    assert.equal((await store.activations.get(ours.tenant, ours.activation_id))?.status, "queued");
    assert.equal((await store.activations.list({ tenant: "t_other1" }, { limit: 10 })).items.length, 1);
  });

  storeTest(
    "records are listed newest first, in pages that stay right while others are written",
    async (store) => {
      const ids: string[] = [];
      for (let n = 0; n < 7; n++) {
        // Three in the same millisecond: their order must be stable too.
        const record = sampleActivation({ enqueued_at_ms: NOW_MS + Math.max(0, n - 2) });
        ids.unshift(record.activation_id);
        await store.activations.create(record);
      }
      const filter = { tenant: "t_default" };
      const first = await store.activations.list(filter, { limit: 3 });
      await store.activations.create(sampleActivation({ enqueued_at_ms: NOW_MS + 100 }));
      const changed = await store.activations.get("t_default", ids[4] ?? "");
      if (changed !== undefined) await store.activations.finish(finished(changed));
      const rest = await everyPage(3, (page) =>
        store.activations.list(filter, { ...page, cursor: page.cursor ?? first.next_cursor ?? undefined }),
      );
      const seen = [first.items, ...rest].map((page) => page.map((item) => item.activation_id));
      assert.deepStrictEqual(seen, [ids.slice(0, 3), ids.slice(3, 6), ids.slice(6)]);
    },
  );

  storeTest("every filter narrows the list, alone and together", async (store) => {
    const names = ["alpha", "beta"];
    for (const namespace of ["default", "other"]) {
      for (const name of names) {
        for (const type of ["http", "schedule"] as const) {
          const record = sampleActivation({ namespace, function: name, trigger: { type, source: {} } });
          await store.activations.create(record);
          if (type === "http") await store.activations.finish(finished(record, "error"));
        }
      }
    }
    const late = sampleActivation({ function: "alpha", enqueued_at_ms: NOW_MS + 10 });
    await store.activations.finish(finished(late));
    const tenant = "t_default";
    const cases = [
      [{ tenant }, 9],
      [{ tenant, namespace: "other" }, 4],
      [{ tenant, function: "alpha" }, 5],
      [{ tenant, namespace: "default", function: "alpha" }, 3],
      [{ tenant, status: "error" }, 4],
      [{ tenant, namespace: "default", function: "alpha", status: "error" }, 1],
      [{ tenant, trigger: "schedule" }, 4],
      [{ tenant, namespace: "other", function: "beta", trigger: "schedule", status: "queued" }, 1],
      [{ tenant, namespace: "other", function: "beta", trigger: "schedule", status: "error" }, 0],
      [{ tenant, sinceMs: NOW_MS + 10 }, 1],
      [{ tenant, sinceMs: NOW_MS + 11 }, 0],
      [{ tenant: "t_other1" }, 0],
    ] as const;
    for (const [filter, count] of cases) {
      const pages = await everyPage(2, (page) => store.activations.list(filter, page));
      assert.equal(pages.flat().length, count, JSON.stringify(filter));
      assert.equal(new Set(pages.flat().map((item) => item.activation_id)).size, count);
    }
  });

  storeTest("a rare status is found in a long history, page by page", async (store) => {
    const writes: Promise<boolean>[] = [];
    for (let n = 0; n < 5000; n++) {
      const status = n % 1250 === 600 ? "error" : "success";
      writes.push(
        store.activations.finish(finished(sampleActivation({ enqueued_at_ms: NOW_MS + n }), status)),
      );
    }
    await Promise.all(writes);
    const filter = { tenant: "t_default", status: "error" } as const;
    const pages = await everyPage(3, (page) => store.activations.list(filter, page));
    assert.deepStrictEqual(
      pages.map((page) => page.map((item) => item.enqueued_at_ms - NOW_MS)),
      [[4350, 3100, 1850], [600]],
    );
  });

  storeTest("unfinished records come oldest first, of every tenant", async (store) => {
    const late = sampleActivation({ enqueued_at_ms: NOW_MS + 5 });
    const early = sampleActivation({ enqueued_at_ms: NOW_MS + 1, tenant: "t_other1" });
    const ended = sampleActivation({ enqueued_at_ms: NOW_MS });
    for (const record of [late, early, ended]) await store.activations.create(record);
    await store.activations.update({ ...early, status: "running" });
    await store.activations.finish(finished(ended));
    assert.deepStrictEqual(await store.activations.unfinished(10), [{ ...early, status: "running" }, late]);
    assert.deepStrictEqual(await store.activations.unfinished(1), [{ ...early, status: "running" }]);
  });

  storeTest(
    "sweeping removes old terminal records of every tenant with their logs, and no others",
    async (store) => {
      const old = sampleActivation();
      const foreign = sampleActivation({ tenant: "t_other1" });
      const stuck = sampleActivation();
      const young = sampleActivation({ enqueued_at_ms: NOW_MS + 2 });
      for (const record of [old, foreign, young]) {
        await store.activations.finish(finished(record));
        await store.logs.append(record.tenant, record.activation_id, ["line"]);
      }
      await store.activations.create(stuck);
      const removed = await store.sweep(NOW_MS + 7 * DAY_MS + 1);
      assert.equal(removed, 4, "two records, two rows of log");
      for (const [record, kept] of [
        [old, false],
        [foreign, false],
        [stuck, true],
        [young, true],
      ] as const) {
        const found = await store.activations.get(record.tenant, record.activation_id);
        assert.equal(found !== undefined, kept);
      }
      assert.deepStrictEqual(await store.logs.read(old.tenant, old.activation_id, 0, 10), []);
      assert.deepStrictEqual(await store.logs.read(young.tenant, young.activation_id, 0, 10), ["line"]);
    },
  );
}

import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { StoreTest } from "./open-store.ts";
import {
  finished,
  HELLO,
  NOW_MS,
  sampleActivation,
  sampleEntry,
  sampleFunction,
  withCode,
} from "./samples.ts";

/** What holds between writes: order, atomicity of a tick, refusals on their own, closing. */
export function transactionSuite(storeTest: StoreTest): void {
  storeTest("a refused write refuses only itself, not its neighbours of the same tick", async (store) => {
    await store.functions.create(sampleFunction());
    const other = sampleFunction({ ...HELLO, name: "other" });
    const results = await Promise.allSettled([
      store.kv.set(HELLO, "before", "1", null),
      store.functions.create(sampleFunction()),
      store.aliases.set(HELLO, { alias: "prod", version: 9, updated_at_ms: NOW_MS }),
      store.functions.create(other),
      store.functions.softDelete({ ...HELLO, name: "missing" }, NOW_MS),
      store.kv.set(HELLO, "after", "2", null),
    ]);
    assert.deepStrictEqual(
      results.map((result) => result.status),
      ["fulfilled", "rejected", "rejected", "fulfilled", "rejected", "fulfilled"],
    );
    assert.deepStrictEqual(await store.functions.get({ ...HELLO, name: "other" }), other);
    assert.equal(await store.kv.get(HELLO, "after", NOW_MS), "2");
  });

  storeTest("writes of one tick take effect in the order they were issued", async (store) => {
    const record = sampleActivation();
    const results = await Promise.all([
      store.functions.create(sampleFunction()),
      store.functions.softDelete(HELLO, NOW_MS),
      store.functions.create(sampleFunction()),
      store.activations.create(record),
      store.activations.update({ ...record, status: "running" }),
      store.activations.finish(finished(record)),
      store.journal.append(sampleEntry("msg_1")),
      store.journal.remove("msg_1"),
    ]);
    assert.deepStrictEqual(results.slice(4, 6), [true, true]);
    assert.equal((await store.functions.get(HELLO))?.deleted_at_ms, null);
    assert.deepStrictEqual(await store.journal.load(), []);
  });

  storeTest("writes of one tick become visible together", async (store) => {
    for (let round = 0; round < 20; round++) {
      const [first, second] = [`msg_${round}_a`, `msg_${round}_b`];
      const record = sampleActivation();
      // The relaxed write comes first: it must wait for its company, not go alone.
      const writes = [
        store.activations.finish(finished(record)),
        store.journal.append(sampleEntry(first)),
        Promise.resolve().then(() => store.journal.append(sampleEntry(second))),
      ];
      const all = Promise.all(writes);
      const progress = { settled: false };
      void all.catch(() => {}).finally(() => (progress.settled = true));
      while (!progress.settled) {
        await nextTurn();
        const ids = (await store.journal.load()).map((entry) => entry.id);
        const ended = await store.activations.get(record.tenant, record.activation_id);
        const seen = ids.filter((id) => id === first || id === second).length;
        if (seen === 0) continue;
        assert.ok(ended !== undefined && seen === 2, `${seen} of 2, record ${ended?.status}`);
        break;
      }
      await all;
    }
  });

  storeTest("a read after a settled write sees it, whatever is still under way", async (store) => {
    const background: Promise<unknown>[] = [];
    for (let n = 0; n < 50; n++) {
      background.push(store.activations.finish(finished(sampleActivation())));
      await store.kv.set(HELLO, "n", String(n), null);
      assert.equal(await store.kv.get(HELLO, "n", NOW_MS), String(n));
    }
    await Promise.all(background);
  });

  storeTest(
    "check passes, and a closed store refuses work but has written what it was given",
    async (store) => {
      await store.check();
      const record = finished(sampleActivation());
      const last = store.activations.finish(record);
      await store[Symbol.asyncDispose]();
      assert.equal(await last, true);
      await store[Symbol.asyncDispose]();
      await assert.rejects(store.check(), withCode("CS_STORE_UNAVAILABLE"));
      await assert.rejects(store.kv.set(HELLO, "a", "1", null), withCode("CS_STORE_UNAVAILABLE"));
      await assert.rejects(store.kv.get(HELLO, "a", NOW_MS), withCode("CS_STORE_UNAVAILABLE"));
    },
  );
}

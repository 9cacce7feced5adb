import assert from "node:assert/strict";
import type { StoreTest } from "./open-store.ts";
import { everyPage, HELLO, NOW_MS, publishSample, sampleFunction, withCode } from "./samples.ts";

/** Functions: create, list, soft delete, revive; aliases. */
export function functionSuite(storeTest: StoreTest): void {
  storeTest("a created function is read back as it was", async (store) => {
    await store.functions.create(sampleFunction());
    assert.deepStrictEqual(await store.functions.get(HELLO), sampleFunction());
    assert.equal(await store.functions.get({ ...HELLO, name: "other" }), undefined);
  });

  storeTest("an active function cannot be created again", async (store) => {
    await store.functions.create(sampleFunction());
    const again = { ...sampleFunction(), entry: "other.js" };
    await assert.rejects(store.functions.create(again), withCode("CS_CONFLICT"));
    assert.equal((await store.functions.get(HELLO))?.entry, "index.js");
  });

  storeTest("the same name lives apart in another tenant and another namespace", async (store) => {
    const keys = [HELLO, { ...HELLO, tenant: "t_other1" }, { ...HELLO, namespace: "other" }];
    for (const key of keys) await store.functions.create(sampleFunction(key));
    await store.functions.softDelete(HELLO, NOW_MS);
    assert.equal((await store.functions.get(keys[1] ?? HELLO))?.deleted_at_ms, null);
    const scope = { tenant: "t_other1", namespace: "default", includeDeleted: true };
    const page = await store.functions.list(scope, { limit: 10 });
    assert.deepStrictEqual(page, {
      items: [sampleFunction({ ...HELLO, tenant: "t_other1" })],
      next_cursor: null,
    });
  });

  storeTest("a deleted function stays readable and is listed only when asked for", async (store) => {
    await store.functions.create(sampleFunction());
    await store.functions.softDelete(HELLO, NOW_MS + 7);
    assert.equal((await store.functions.get(HELLO))?.deleted_at_ms, NOW_MS + 7);
    const scope = { tenant: HELLO.tenant, namespace: HELLO.namespace };
    const shown = await store.functions.list({ ...scope, includeDeleted: false }, { limit: 10 });
    const all = await store.functions.list({ ...scope, includeDeleted: true }, { limit: 10 });
    assert.deepStrictEqual([shown.items.length, all.items.length], [0, 1]);
  });

  storeTest("deleting a missing or deleted function is not found", async (store) => {
    await assert.rejects(store.functions.softDelete(HELLO, NOW_MS), withCode("CS_NOT_FOUND"));
    await store.functions.create(sampleFunction());
    await store.functions.softDelete(HELLO, NOW_MS);
    await assert.rejects(store.functions.softDelete(HELLO, NOW_MS + 1), withCode("CS_NOT_FOUND"));
  });

  storeTest("creating a deleted function revives it and its versions go on counting", async (store) => {
    await store.functions.create(sampleFunction());
    await publishSample(store);
    await publishSample(store);
    await store.functions.softDelete(HELLO, NOW_MS);
    assert.equal((await store.versions.get(HELLO, 2))?.version, 2, "versions are kept");
    await store.functions.create({ ...sampleFunction(), created_at_ms: NOW_MS + 9 });
    const revived = await store.functions.get(HELLO);
    assert.deepStrictEqual([revived?.deleted_at_ms, revived?.created_at_ms], [null, NOW_MS + 9]);
    assert.equal(await publishSample(store), 3);
  });

  storeTest("functions are listed by name in pages that neither repeat nor skip", async (store) => {
    const names = ["cc", "aa", "ee", "bb", "dd"];
    for (const name of names) await store.functions.create(sampleFunction({ ...HELLO, name }));
    const scope = { tenant: HELLO.tenant, namespace: HELLO.namespace, includeDeleted: false };
    const pages = await everyPage(2, (page) => store.functions.list(scope, page));
    assert.deepStrictEqual(
      pages.map((page) => page.map((item) => item.name)),
      [["aa", "bb"], ["cc", "dd"], ["ee"]],
    );
  });

  storeTest("a cursor or limit that makes no sense is refused", async (store) => {
    const scope = { tenant: HELLO.tenant, namespace: HELLO.namespace, includeDeleted: false };
    const invalid = withCode("CS_VALIDATION_FAILED");
    for (const cursor of ["", "nonsense", "bnVsbA", "WzFd", "W10"]) {
      await assert.rejects(store.functions.list(scope, { limit: 10, cursor }), invalid, cursor);
      await assert.rejects(store.activations.list({ tenant: "t_x" }, { limit: 10, cursor }), invalid, cursor);
    }
    for (const limit of [0, -1, 501, 1.5]) {
      await assert.rejects(store.functions.list(scope, { limit }), invalid, String(limit));
    }
  });

  storeTest("an alias points at a version, with weights, and can be moved and deleted", async (store) => {
    await store.functions.create(sampleFunction());
    for (let version = 1; version <= 2; version++) await publishSample(store);
    const canary = { alias: "prod", version: 1, weights: { "2": 0.1 }, updated_at_ms: NOW_MS };
    await store.aliases.set(HELLO, canary);
    assert.deepStrictEqual(await store.aliases.get(HELLO, "prod"), canary);
    const moved = { alias: "prod", version: 2, updated_at_ms: NOW_MS + 1 };
    await store.aliases.set(HELLO, moved);
    await store.aliases.set(HELLO, { alias: "dev", version: 1, updated_at_ms: NOW_MS });
    const all = await store.aliases.list(HELLO);
    assert.deepStrictEqual(all, [{ alias: "dev", version: 1, updated_at_ms: NOW_MS }, moved]);
    await store.aliases.delete(HELLO, "dev");
    assert.equal(await store.aliases.get(HELLO, "dev"), undefined);
    await assert.rejects(store.aliases.delete(HELLO, "dev"), withCode("CS_NOT_FOUND"));
  });

  storeTest("an alias needs an active function and a version that exists", async (store) => {
    const alias = { alias: "prod", version: 1, updated_at_ms: NOW_MS };
    await assert.rejects(store.aliases.set(HELLO, alias), withCode("CS_NOT_FOUND"));
    await store.functions.create(sampleFunction());
    await assert.rejects(store.aliases.set(HELLO, alias), withCode("CS_NOT_FOUND"));
    await publishSample(store);
    await store.functions.softDelete(HELLO, NOW_MS);
    await assert.rejects(store.aliases.set(HELLO, alias), withCode("CS_NOT_FOUND"));
    assert.deepStrictEqual(await store.aliases.list(HELLO), []);
  });
}

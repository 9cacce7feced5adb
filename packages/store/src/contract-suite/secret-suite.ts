import assert from "node:assert/strict";
import { CONTRACT_STORE_OPTIONS, type StoreTest } from "./open-store.ts";
import { everyPage, NOW_MS, withCode } from "./samples.ts";

const SCOPE = { tenant: "t_default", namespace: "default" };
const MOST = CONTRACT_STORE_OPTIONS.secretsPerNamespaceMax;

const secret = (name: string, sealed = `sealed ${name}`) => ({ name, sealed, key_id: "k1" });

/** Sealed secrets: the store keeps text it cannot read. */
export function secretSuite(storeTest: StoreTest): void {
  storeTest("a secret keeps its sealed text as it is, and counts its values", async (store) => {
    const sealed = "1.k1.\u00e9\n\"'+/=";
    const first = await store.secrets.put(SCOPE, secret("stripe_key", sealed), NOW_MS);
    const times = { created_at_ms: NOW_MS, updated_at_ms: NOW_MS };
    assert.deepStrictEqual(first, { name: "stripe_key", version: 1, key_id: "k1", ...times });
    assert.deepStrictEqual(await store.secrets.get(SCOPE, "stripe_key"), { record: first, sealed });
    const change = { name: "stripe_key", sealed: "other", key_id: "k2" };
    const second = await store.secrets.put(SCOPE, change, NOW_MS + 5);
    assert.deepStrictEqual(second, { ...first, version: 2, key_id: "k2", updated_at_ms: NOW_MS + 5 });
    assert.deepStrictEqual(await store.secrets.get(SCOPE, "stripe_key"), {
      record: second,
      sealed: "other",
    });
  });

  storeTest("values that are set at once are counted one by one", async (store) => {
    const puts = Array.from({ length: 8 }, (_, n) => store.secrets.put(SCOPE, secret("key"), NOW_MS + n));
    const versions = (await Promise.all(puts)).map((record) => record.version);
    assert.deepStrictEqual(versions, [1, 2, 3, 4, 5, 6, 7, 8]);
  });

  storeTest("a deleted secret is gone, and its name can be used again", async (store) => {
    await assert.rejects(store.secrets.delete(SCOPE, "key"), withCode("CS_NOT_FOUND"));
    await store.secrets.put(SCOPE, secret("key"), NOW_MS);
    await store.secrets.delete(SCOPE, "key");
    assert.equal(await store.secrets.get(SCOPE, "key"), undefined);
    assert.equal((await store.secrets.put(SCOPE, secret("key"), NOW_MS)).version, 1);
  });

  storeTest("tenants and namespaces do not see each other's secrets", async (store) => {
    const others = [
      { ...SCOPE, tenant: "t_other1" },
      { ...SCOPE, namespace: "other" },
    ];
    await store.secrets.put(SCOPE, secret("key"), NOW_MS);
    for (const other of others) {
      assert.equal(await store.secrets.get(other, "key"), undefined);
      assert.deepStrictEqual((await store.secrets.list(other, { limit: 10 })).items, []);
      await assert.rejects(store.secrets.delete(other, "key"), withCode("CS_NOT_FOUND"));
    }
    assert.equal((await store.secrets.get(SCOPE, "key"))?.sealed, "sealed key");
  });

  storeTest("a namespace holds so many secrets and not one more", async (store) => {
    for (let n = 0; n < MOST; n++) await store.secrets.put(SCOPE, secret(`key${n}`), NOW_MS);
    await assert.rejects(store.secrets.put(SCOPE, secret("more"), NOW_MS), withCode("CS_CONFLICT"));
    assert.equal(
      (await store.secrets.put(SCOPE, secret("key0"), NOW_MS)).version,
      2,
      "a new value of an old",
    );
    await store.secrets.put({ ...SCOPE, namespace: "other" }, secret("more"), NOW_MS);
    await store.secrets.delete(SCOPE, "key1");
    await store.secrets.put(SCOPE, secret("more"), NOW_MS);
  });

  storeTest("a secret that is sealed anew is the same value, at the same version and time", async (store) => {
    const before = await store.secrets.put(SCOPE, secret("key", "old"), NOW_MS);
    const anew = { name: "key", sealed: "new", key_id: "k2 2" };
    assert.equal(await store.secrets.reseal(SCOPE, anew, "old"), true);
    const record = { ...before, key_id: "k2 2" };
    assert.deepStrictEqual(await store.secrets.get(SCOPE, "key"), { record, sealed: "new" });
    assert.deepStrictEqual((await store.secrets.list(SCOPE, { limit: 10 })).items, [record]);
    assert.equal((await store.secrets.put(SCOPE, secret("key"), NOW_MS)).version, 2);
  });

  storeTest("what was set or deleted meanwhile is not sealed anew", async (store) => {
    await store.secrets.put(SCOPE, secret("key", "first"), NOW_MS);
    const second = await store.secrets.put(SCOPE, secret("key", "second"), NOW_MS + 1);
    const anew = { name: "key", sealed: "first, anew", key_id: "k2" };
    assert.equal(await store.secrets.reseal(SCOPE, anew, "first"), false);
    assert.deepStrictEqual(await store.secrets.get(SCOPE, "key"), { record: second, sealed: "second" });
    const other = { ...SCOPE, namespace: "other" };
    assert.equal(await store.secrets.reseal(other, anew, "second"), false);
    await store.secrets.delete(SCOPE, "key");
    assert.equal(await store.secrets.reseal(SCOPE, anew, "second"), false);
    assert.equal(await store.secrets.get(SCOPE, "key"), undefined);
    assert.equal(await store.secrets.get(other, "key"), undefined);
  });

  storeTest("of values that are set and sealed anew at once none is lost", async (store) => {
    await store.secrets.put(SCOPE, secret("key", "0"), NOW_MS);
    const writes: Promise<unknown>[] = [];
    for (let n = 1; n <= 20; n++) {
      const anew = { name: "key", sealed: `${n - 1} anew`, key_id: "k2" };
      writes.push(
        store.secrets.reseal(SCOPE, anew, String(n - 1)),
        store.secrets.put(SCOPE, secret("key", String(n)), NOW_MS + n),
      );
    }
    await Promise.all(writes);
    const found = await store.secrets.get(SCOPE, "key");
    assert.deepStrictEqual([found?.record.version, found?.sealed], [21, "20"]);
  });

  storeTest("the namespaces that hold secrets are listed from one on, each once", async (store) => {
    assert.deepStrictEqual(await store.secrets.scopes(undefined, 10), []);
    const scopes = [
      { tenant: "t_default", namespace: "a-b" },
      { tenant: "t_default", namespace: "default" },
      { tenant: "t_other1", namespace: "a_b" },
      { tenant: "t_other1", namespace: "other" },
    ];
    for (const scope of scopes.toReversed()) {
      for (const name of ["one", "two"]) await store.secrets.put(scope, secret(name), NOW_MS);
    }
    const empty = { tenant: "t_other1", namespace: "emptied" };
    await store.secrets.put(empty, secret("one"), NOW_MS);
    await store.secrets.delete(empty, "one");
    assert.deepStrictEqual(await store.secrets.scopes(undefined, 3), scopes.slice(0, 3));
    assert.deepStrictEqual(await store.secrets.scopes(scopes[2], 3), scopes.slice(3));
    assert.deepStrictEqual(await store.secrets.scopes(empty, 3), scopes.slice(3), "one that is gone");
    assert.deepStrictEqual(await store.secrets.scopes(scopes[3], 3), []);
  });

  storeTest("lists show names in order, in pages, and never what is sealed", async (store) => {
    for (const name of ["b", "a.b", "C", "a-b"]) await store.secrets.put(SCOPE, secret(name), NOW_MS);
    const pages = await everyPage(3, (page) => store.secrets.list(SCOPE, page));
    assert.deepStrictEqual(
      pages.map((page) => page.map((record) => record.name)),
      [["C", "a-b", "a.b"], ["b"]],
    );
    assert.doesNotMatch(JSON.stringify(pages), /sealed/);
  });
}

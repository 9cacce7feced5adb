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

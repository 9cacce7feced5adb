import assert from "node:assert/strict";
import { CONTRACT_STORE_OPTIONS, type StoreTest } from "./open-store.ts";
import { everyPage, NOW_MS, withCode } from "./samples.ts";

const SCOPE = { tenant: "t_default", namespace: "default" };
const QUOTA = CONTRACT_STORE_OPTIONS.kvNamespaceBytesMax;
/** Long after the clock of any store that runs this suite. */
const FAR_MS = 4_000_000_000_000;

/** A JSON string of this many bytes in all. */
const value = (bytes: number) => JSON.stringify("x".repeat(bytes - 2));

/** Key-value data: TTL, quota, prefixes. */
export function kvSuite(storeTest: StoreTest): void {
  storeTest("a value is set, replaced and deleted", async (store) => {
    assert.equal(await store.kv.get(SCOPE, "a", NOW_MS), undefined);
    await store.kv.set(SCOPE, "a", '{"n":1}', null);
    await store.kv.set(SCOPE, "a", '{"n":2}', null);
    assert.equal(await store.kv.get(SCOPE, "a", NOW_MS), '{"n":2}');
    assert.equal(await store.kv.delete(SCOPE, "a"), true);
    assert.equal(await store.kv.delete(SCOPE, "a"), false);
    assert.equal(await store.kv.get(SCOPE, "a", NOW_MS), undefined);
  });

  storeTest("tenants and namespaces do not see each other's keys", async (store) => {
    const scopes = [SCOPE, { ...SCOPE, tenant: "t_other1" }, { ...SCOPE, namespace: "other" }];
    for (const [index, scope] of scopes.entries()) await store.kv.set(scope, "key", String(index), null);
    for (const [index, scope] of scopes.entries()) {
      assert.equal(await store.kv.get(scope, "key", NOW_MS), String(index));
    }
    const [ours, theirs] = scopes as [typeof SCOPE, typeof SCOPE];
    await store.kv.delete(theirs, "key");
    assert.deepStrictEqual((await store.kv.list(ours, "", NOW_MS, { limit: 10 })).items, ["key"]);
    assert.deepStrictEqual((await store.kv.list(theirs, "", NOW_MS, { limit: 10 })).items, []);
  });

  storeTest("an expired entry is invisible from its moment on, and swept", async (store) => {
    await store.kv.set(SCOPE, "short", "1", FAR_MS);
    await store.kv.set(SCOPE, "long", "2", null);
    assert.equal(await store.kv.get(SCOPE, "short", FAR_MS - 1), "1");
    assert.equal(await store.kv.get(SCOPE, "short", FAR_MS), undefined);
    assert.deepStrictEqual((await store.kv.list(SCOPE, "", FAR_MS, { limit: 10 })).items, ["long"]);
    assert.equal(await store.sweep(FAR_MS - 1), 0);
    assert.equal(await store.sweep(FAR_MS), 1);
    assert.equal(await store.kv.get(SCOPE, "short", FAR_MS - 1), undefined);
    await store.kv.set(SCOPE, "short", "3", null);
    assert.equal(await store.kv.get(SCOPE, "short", FAR_MS), "3", "a key can be used again");
  });

  storeTest("setting a key anew replaces its end too", async (store) => {
    await store.kv.set(SCOPE, "key", "1", FAR_MS);
    await store.kv.set(SCOPE, "key", "2", null);
    assert.equal(await store.kv.get(SCOPE, "key", FAR_MS), "2");
  });

  storeTest("a namespace holds its quota of bytes and not one more", async (store) => {
    await store.kv.set(SCOPE, "a", value(QUOTA - 1), null);
    await assert.rejects(store.kv.set(SCOPE, "b", "1", null), withCode("CS_PAYLOAD_TOO_LARGE"));
    await assert.rejects(store.kv.set(SCOPE, "a", value(QUOTA), null), withCode("CS_PAYLOAD_TOO_LARGE"));
    assert.equal(await store.kv.get(SCOPE, "a", NOW_MS), value(QUOTA - 1), "a refused value changes nothing");
    await store.kv.set({ ...SCOPE, namespace: "other" }, "b", "1", null);
    await store.kv.set(SCOPE, "a", value(QUOTA - 3), null);
    await store.kv.set(SCOPE, "b", "1", null);
    await store.kv.delete(SCOPE, "a");
    await store.kv.set(SCOPE, "c", value(QUOTA - 3), null);
    const umlauts = JSON.stringify("ü".repeat(QUOTA / 2));
    const big = store.kv.set({ ...SCOPE, namespace: "third" }, "a", umlauts, null);
    await assert.rejects(big, withCode("CS_PAYLOAD_TOO_LARGE"), "bytes count, not characters");
  });

  storeTest("expired and swept entries give their share of the quota back", async (store) => {
    const large = value(QUOTA - 8);
    await store.kv.set(SCOPE, "a", large, FAR_MS);
    await store.sweep(FAR_MS);
    await store.kv.set(SCOPE, "b", large, 1);
    // Expired long ago by any clock, and not swept: it must not keep others out.
    await store.kv.set(SCOPE, "c", large, null);
    assert.equal(await store.kv.get(SCOPE, "c", NOW_MS), large);
  });

  storeTest("a prefix is text, not a pattern, and lists ascend in pages", async (store) => {
    const keys = ["a%b", "a%c", "a_b", "aXb", "a%", "b%b", "a%ü", "a%👋", "a%\uffff", "a%\u{10ffff}", "A%b"];
    for (const key of keys) await store.kv.set(SCOPE, key, "1", null);
    const list = async (prefix: string) =>
      (await everyPage(2, (page) => store.kv.list(SCOPE, prefix, NOW_MS, page))).flat();
    assert.deepStrictEqual(await list("a%"), ["a%", "a%b", "a%c", "a%ü", "a%\uffff", "a%👋", "a%\u{10ffff}"]);
    assert.deepStrictEqual(await list("a_"), ["a_b"]);
    assert.deepStrictEqual(await list("a%\u{10ffff}"), ["a%\u{10ffff}"]);
    assert.deepStrictEqual(await list("a%👋"), ["a%👋"]);
    assert.deepStrictEqual(await list("nothing"), []);
    assert.equal((await list("")).length, keys.length);
  });

  storeTest("unusual keys are told apart", async (store) => {
    const keys = ["'", '"', "a\u0000b", "a\u0000c", "\u00fc", "u\u0308", " ", "\n", "\ud7ff", "\ue000"];
    for (const key of keys) await store.kv.set(SCOPE, key, JSON.stringify(key), null);
    for (const key of keys) assert.equal(await store.kv.get(SCOPE, key, NOW_MS), JSON.stringify(key));
    assert.deepStrictEqual((await store.kv.list(SCOPE, "\ud7ff", NOW_MS, { limit: 9 })).items, ["\ud7ff"]);
    assert.deepStrictEqual((await store.kv.list(SCOPE, "a\u0000", NOW_MS, { limit: 9 })).items.length, 2);
    await assert.rejects(store.kv.set(SCOPE, "\ud800", "1", null), withCode("CS_VALIDATION_FAILED"));
  });
}

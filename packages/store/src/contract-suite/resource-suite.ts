import assert from "node:assert/strict";
import { LIMITS } from "@sous/contract";
import type { Store, StoredResource } from "../store.ts";
import type { StoreTest } from "./open-store.ts";
import { everyPage, NOW_MS, withCode } from "./samples.ts";

const SCOPE = { tenant: "t_default", namespace: "default" };
const KIND = "event-source";

const key = (name: string, change: Partial<typeof SCOPE> = {}) => ({ ...SCOPE, ...change, name });
const namesOf = (items: readonly StoredResource[]): string[] => items.map((item) => item.key.name);

const create = (store: Store, name: string, change: Partial<typeof SCOPE> = {}, kind = KIND) =>
  store.resources.create(kind, key(name, change), JSON.stringify({ name }), 100);

/** Named things of the control plane that are only text to the store. */
export function resourceSuite(storeTest: StoreTest): void {
  storeTest("a resource keeps its record as it is, and begins with generation 1", async (store) => {
    const record_json = JSON.stringify({ text: 'ünïcode "quoted"\n\u0000👋', n: [1.5, null] });
    await store.resources.create(KIND, key("orders.v1:a@b/c"), record_json, 1);
    const stored = { key: key("orders.v1:a@b/c"), generation: 1, record_json };
    assert.deepStrictEqual(await store.resources.get(KIND, stored.key), stored);
    await assert.rejects(store.resources.create(KIND, stored.key, "{}", 100), withCode("CS_CONFLICT"));
    assert.deepStrictEqual(await store.resources.get(KIND, stored.key), stored);
    assert.equal(await store.resources.get(KIND, key("other")), undefined);
  });

  storeTest("kinds, tenants and namespaces are apart", async (store) => {
    await create(store, "one");
    assert.equal(await store.resources.get("member", key("one")), undefined);
    for (const other of [{ tenant: "t_other1" }, { namespace: "other" }]) {
      assert.equal(await store.resources.get(KIND, key("one", other)), undefined);
      assert.equal(await store.resources.replace(KIND, key("one", other), 1, "{}"), false);
      assert.equal(await store.resources.delete(KIND, key("one", other)), false);
    }
    await create(store, "one", {}, "member");
    assert.equal(await store.resources.delete("member", key("one")), true);
    assert.equal((await store.resources.get(KIND, key("one")))?.generation, 1);
  });

  storeTest("a namespace holds so many of a kind and not one more", async (store) => {
    const most = (name: string, change = {}) => store.resources.create(KIND, key(name, change), "{}", 2);
    await most("one");
    await most("two");
    await assert.rejects(most("more"), withCode("CS_CONFLICT"));
    await assert.rejects(most("one"), withCode("CS_CONFLICT"));
    await most("more", { namespace: "default2" });
    await most("more", { namespace: "defaul" });
    await create(store, "more", {}, "member");
    await store.resources.delete(KIND, key("one"));
    await most("more");
  });

  storeTest("of many who take the last place at once exactly as many as fit get it", async (store) => {
    const tries = Array.from({ length: 8 }, (_, n) => store.resources.create(KIND, key(`name${n}`), "{}", 3));
    const results = await Promise.allSettled(tries);
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 3);
    assert.equal((await store.resources.list(KIND, SCOPE, { limit: 10 })).items.length, 3);
  });

  storeTest(
    "a replacement counts the generation, and one of an old generation changes nothing",
    async (store) => {
      await create(store, "one");
      assert.equal(await store.resources.replace(KIND, key("one"), 1, '"second"'), true);
      assert.equal(await store.resources.replace(KIND, key("one"), 1, '"late"'), false);
      assert.equal(await store.resources.replace(KIND, key("one"), 3, '"early"'), false);
      assert.equal(await store.resources.replace(KIND, key("other"), 1, '"none"'), false);
      const stored = { key: key("one"), generation: 2, record_json: '"second"' };
      assert.deepStrictEqual(await store.resources.get(KIND, key("one")), stored);
      const writes = Array.from({ length: 6 }, (_, n) =>
        store.resources.replace(KIND, key("one"), 2, `${n}`),
      );
      assert.equal((await Promise.all(writes)).filter(Boolean).length, 1, "of six at once one applies");
      assert.equal((await store.resources.get(KIND, key("one")))?.generation, 3);
    },
  );

  storeTest("a replacement of a term that is over changes nothing", async (store) => {
    await create(store, "one");
    const lease = "event-sources";
    const old = await store.leases.acquire(lease, "one", NOW_MS, NOW_MS + 10);
    const epoch = await store.leases.acquire(lease, "two", NOW_MS + 10, NOW_MS + 20);
    assert.ok(old !== undefined && epoch !== undefined);
    const replace = (generation: number, fence: { lease: string; epoch: number }) =>
      store.resources.replace(KIND, key("one"), generation, "{}", fence);
    assert.equal(await replace(1, { lease, epoch: old }), false);
    assert.equal(await replace(1, { lease: "unknown", epoch }), false);
    assert.equal((await store.resources.get(KIND, key("one")))?.generation, 1);
    assert.equal(await replace(1, { lease, epoch }), true);
    assert.equal(await replace(1, { lease, epoch }), false, "the fence does not replace the generation");
    await store.leases.release(lease, epoch);
    assert.equal(await replace(2, { lease, epoch }), false, "released");
  });

  storeTest("what is deleted is gone, and its name can be used again", async (store) => {
    await create(store, "one");
    await store.resources.replace(KIND, key("one"), 1, "{}");
    assert.equal(await store.resources.delete(KIND, key("one"), 1), false, "it has changed since");
    assert.equal(await store.resources.delete(KIND, key("one"), 2), true);
    assert.equal(await store.resources.delete(KIND, key("one")), false);
    assert.equal(await store.resources.get(KIND, key("one")), undefined);
    assert.deepStrictEqual((await store.resources.all(KIND, { limit: 10 })).items, []);
    await create(store, "one");
    assert.equal((await store.resources.get(KIND, key("one")))?.generation, 1);
    assert.equal(await store.resources.delete(KIND, key("one")), true, "whatever its generation");
  });

  storeTest("lists go by name in pages, of one namespace", async (store) => {
    for (const name of ["b-one", "a_two", "C", "a-three"]) await create(store, name);
    await create(store, "aaa", { namespace: "default2" });
    await create(store, "aaa", { namespace: "defaul" });
    await create(store, "aaa", { tenant: "t_defaul" });
    await create(store, "aaa", {}, "member");
    const pages = await everyPage(2, (page) => store.resources.list(KIND, SCOPE, page));
    assert.deepStrictEqual(pages.map(namesOf), [
      ["C", "a-three"],
      ["a_two", "b-one"],
    ]);
    assert.equal(pages[0]?.[0]?.record_json, '{"name":"C"}');
  });

  storeTest("a walk over all tenants finds each once, in order, whatever goes meanwhile", async (store) => {
    const places = [
      key("b", { tenant: "t_bbbbbb" }),
      key("z", { tenant: "t_aaaaaa", namespace: "one" }),
      key("y", { tenant: "t_aaaaaa", namespace: "one" }),
      key("x", { tenant: "t_aaaaaa", namespace: "one-more" }),
      key("a", { tenant: "t_aaaaaa", namespace: "two" }),
    ];
    for (const place of places) await store.resources.create(KIND, place, "{}", 10);
    await create(store, "elsewhere", {}, "member");
    const first = await store.resources.all(KIND, { limit: 2 });
    assert.deepStrictEqual(namesOf(first.items), ["y", "z"]);
    await store.resources.delete(KIND, places[1] ?? key(""));
    const rest = await store.resources.all(KIND, { limit: 10, cursor: first.next_cursor ?? "" });
    assert.deepStrictEqual(namesOf(rest.items), ["x", "a", "b"]);
    assert.equal(rest.next_cursor, null);
    await assert.rejects(store.resources.all(KIND, { limit: 0 }), withCode("CS_VALIDATION_FAILED"));
    await assert.rejects(
      store.resources.all(KIND, { limit: 1, cursor: "eA" }),
      withCode("CS_VALIDATION_FAILED"),
    );
  });

  storeTest(
    "names and records that cannot be kept are refused, a record of 64 KiB is kept",
    async (store) => {
      const bad = withCode("CS_VALIDATION_FAILED");
      for (const kind of ["", "Kind", "9kind", "a:b", "k".repeat(33)]) {
        await assert.rejects(create(store, "one", {}, kind), bad);
        await assert.rejects(store.resources.all(kind, { limit: 1 }), bad);
      }
      for (const name of ["", "a b", "a\u001fb", "ä", "n".repeat(129)]) {
        await assert.rejects(create(store, name), bad);
        await assert.rejects(store.resources.get(KIND, key(name)), bad);
        await assert.rejects(store.resources.delete(KIND, key(name)), bad);
      }
      await assert.rejects(create(store, "one", { tenant: "a:b" }), bad);
      await assert.rejects(store.resources.list(KIND, { ...SCOPE, namespace: "" }, { limit: 1 }), bad);
      const large = "é".repeat(LIMITS.resourceRecordBytesMax / 2);
      await store.resources.create(KIND, key("large"), large, 10);
      assert.equal((await store.resources.get(KIND, key("large")))?.record_json, large);
      const over = withCode("CS_PAYLOAD_TOO_LARGE");
      await assert.rejects(store.resources.create(KIND, key("larger"), `${large}.`, 10), over);
      await assert.rejects(store.resources.replace(KIND, key("large"), 1, `${large}.`), over);
      await assert.rejects(store.resources.replace(KIND, key("large"), 1, "\ud800"), bad);
    },
  );
}

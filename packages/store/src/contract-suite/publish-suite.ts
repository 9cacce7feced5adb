import assert from "node:assert/strict";
import type { StoreTest } from "./open-store.ts";
import type { PublishRequest, Store } from "../store.ts";
import {
  DAY_MS,
  everyPage,
  HELLO,
  NOW_MS,
  publishSample,
  sampleBundle,
  sampleDraft,
  sampleFunction,
  sampleVersion,
  withCode,
} from "./samples.ts";

/** Creates the function and one draft. @returns the request that publishes it */
async function drafted(store: Store, text = "export default () => 1;"): Promise<PublishRequest> {
  if ((await store.functions.get(HELLO)) === undefined) await store.functions.create(sampleFunction());
  const bundle = sampleBundle(text);
  const draft = sampleDraft(bundle);
  await store.drafts.put(HELLO, draft, bundle);
  return { key: HELLO, draftId: draft.draft_id, version: sampleVersion(draft), nowMs: NOW_MS };
}

/** Drafts, publishing, versions and bundles. */
export function publishSuite(storeTest: StoreTest): void {
  storeTest(
    "a draft keeps its record and its bytes, even when they are a view of something larger",
    async (store) => {
      await store.functions.create(sampleFunction());
      const large = sampleBundle("before|bundle|after");
      const view = large.subarray(7, 13);
      const draft = sampleDraft(view);
      const put = store.drafts.put(HELLO, draft, view);
      large.fill(0);
      await put;
      const kept = await store.drafts.get(HELLO, draft.draft_id);
      assert.deepStrictEqual(kept?.draft, draft);
      assert.equal(new TextDecoder().decode(kept?.bundle), "bundle");
      assert.equal(await store.drafts.get({ ...HELLO, tenant: "t_other1" }, draft.draft_id), undefined);
    },
  );

  storeTest("a draft needs an active function", async (store) => {
    const bundle = sampleBundle("x");
    const put = () => store.drafts.put(HELLO, sampleDraft(bundle), bundle);
    await assert.rejects(put(), withCode("CS_NOT_FOUND"));
    await store.functions.create(sampleFunction());
    await store.functions.softDelete(HELLO, NOW_MS);
    await assert.rejects(put(), withCode("CS_NOT_FOUND"));
  });

  storeTest(
    "publishing numbers the version, keeps the bundle, sets the alias and consumes the draft",
    async (store) => {
      const request = { ...(await drafted(store)), alias: "prod" };
      assert.equal(
        await store.versions.bundle(request.version.sha256),
        undefined,
        "a draft is not published",
      );
      const published = await store.versions.publish(request);
      assert.deepStrictEqual(published, { ...request.version, version: 1 });
      assert.deepStrictEqual(await store.versions.get(HELLO, 1), published);
      assert.deepStrictEqual(await store.versions.latest(HELLO), published);
      const bytes = await store.versions.bundle(request.version.sha256);
      assert.equal(new TextDecoder().decode(bytes), "export default () => 1;");
      const alias = await store.aliases.get(HELLO, "prod");
      assert.deepStrictEqual(alias, { alias: "prod", version: 1, updated_at_ms: NOW_MS });
      const draft = await store.drafts.get(HELLO, request.draftId);
      assert.equal(draft?.draft.consumed, true);
      assert.equal(draft?.bundle.byteLength, draft?.draft.size_bytes);
    },
  );

  storeTest("a draft is published once, also when asked twice at once", async (store) => {
    const request = await drafted(store);
    const twice = await Promise.allSettled([
      store.versions.publish(request),
      store.versions.publish(request),
    ]);
    assert.deepStrictEqual(twice.map((result) => result.status).sort(), ["fulfilled", "rejected"]);
    await assert.rejects(store.versions.publish(request), withCode("CS_CONFLICT"));
    assert.equal((await store.versions.list(HELLO, { limit: 10 })).items.length, 1);
  });

  storeTest("an expired draft conflicts and takes no number", async (store) => {
    const request = await drafted(store);
    const late = { ...request, nowMs: NOW_MS + DAY_MS };
    await assert.rejects(store.versions.publish(late), withCode("CS_CONFLICT"));
    assert.equal(await store.versions.latest(HELLO), undefined);
    assert.equal((await store.versions.publish(request)).version, 1);
  });

  storeTest(
    "a missing draft or function is not found, and a refused publish leaves nothing behind",
    async (store) => {
      const request = { ...(await drafted(store)), alias: "prod" };
      const missing = { ...request, draftId: "drf_01ARZ3NDEKTSV4RRFFQ69G5FAV" };
      await assert.rejects(store.versions.publish(missing), withCode("CS_NOT_FOUND"));
      const elsewhere = { ...request, key: { ...HELLO, tenant: "t_other1" } };
      await assert.rejects(store.versions.publish(elsewhere), withCode("CS_NOT_FOUND"));
      await store.functions.softDelete(HELLO, NOW_MS);
      await assert.rejects(store.versions.publish(request), withCode("CS_NOT_FOUND"));
      assert.equal(await store.aliases.get(HELLO, "prod"), undefined);
      assert.equal((await store.drafts.get(HELLO, request.draftId))?.draft.consumed, false);
    },
  );

  storeTest(
    "fifty concurrent publishes get fifty versions and the alias ends at a published one",
    async (store) => {
      const requests: PublishRequest[] = [];
      for (let n = 0; n < 50; n++) requests.push({ ...(await drafted(store, `// ${n}`)), alias: "prod" });
      const published = await Promise.all(requests.map((request) => store.versions.publish(request)));
      const numbers = published.map((record) => record.version).sort((a, b) => a - b);
      assert.deepStrictEqual(
        numbers,
        Array.from({ length: 50 }, (_, index) => index + 1),
      );
      assert.equal((await store.aliases.get(HELLO, "prod"))?.version, 50);
      for (const record of published) {
        assert.deepStrictEqual(await store.versions.get(HELLO, record.version), record);
      }
    },
  );

  storeTest("versions with the same bytes share one bundle", async (store) => {
    const first = await drafted(store, "same");
    const second = await drafted(store, "same");
    await store.versions.publish(first);
    await store.sweep(NOW_MS + 2 * DAY_MS);
    await assert.rejects(store.versions.publish(second), withCode("CS_NOT_FOUND"), "swept");
    assert.equal(new TextDecoder().decode(await store.versions.bundle(first.version.sha256)), "same");
  });

  storeTest(
    "a bundle that is damaged or gone is mended, and published bundles are never swept",
    async (store) => {
      const kept = await drafted(store, "kept");
      await store.versions.publish(kept);
      await store.versions.mendBundle(kept.version.sha256, sampleBundle("mended"));
      await store.versions.mendBundle("0".repeat(64), sampleBundle("was gone"));
      await store.sweep(NOW_MS + 2 * DAY_MS);
      const text = async (sha256: string) => new TextDecoder().decode(await store.versions.bundle(sha256));
      assert.equal(await text(kept.version.sha256), "mended");
      assert.equal(await text("0".repeat(64)), "was gone");
    },
  );

  storeTest("sweeping removes expired drafts with their bytes and keeps what is published", async (store) => {
    const published = await drafted(store, "published");
    await store.versions.publish(published);
    const forgotten = await drafted(store, "forgotten");
    assert.equal(await store.sweep(NOW_MS + DAY_MS - 1), 0);
    assert.ok((await store.sweep(NOW_MS + DAY_MS)) >= 2);
    assert.equal(await store.drafts.get(HELLO, forgotten.draftId), undefined);
    assert.ok(await store.versions.bundle(published.version.sha256));
    assert.equal((await store.versions.latest(HELLO))?.version, 1);
  });

  storeTest("versions are listed newest first and a page stays right while others publish", async (store) => {
    await store.functions.create(sampleFunction());
    for (let n = 0; n < 5; n++) await publishSample(store);
    const first = await store.versions.list(HELLO, { limit: 2 });
    await publishSample(store);
    const rest = await everyPage(2, (page) =>
      store.versions.list(HELLO, { ...page, cursor: page.cursor ?? first.next_cursor ?? undefined }),
    );
    const numbers = [first.items, ...rest].map((items) => items.map((item) => item.version));
    assert.deepStrictEqual(numbers, [[5, 4], [3, 2], [1]]);
    assert.equal(await store.versions.get(HELLO, 99), undefined);
  });
}

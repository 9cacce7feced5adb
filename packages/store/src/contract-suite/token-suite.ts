import assert from "node:assert/strict";
import type { TokenRecord } from "@sous/contract";
import type { StoreTest } from "./open-store.ts";
import { everyPage, NOW_MS, withCode } from "./samples.ts";

const HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

const sampleToken = (id: string, change: Partial<TokenRecord> = {}): TokenRecord => ({
  token_id: id,
  sub: "ada",
  tenant: "t_default",
  roles: ["admin", "action:cs:function:read"],
  created_at_ms: NOW_MS,
  expires_at_ms: null,
  revoked_at_ms: null,
  ...change,
});

/** API tokens. */
export function tokenSuite(storeTest: StoreTest): void {
  storeTest("a token is found by its id with the hash of its secret", async (store) => {
    const record = sampleToken("tok1", { expires_at_ms: NOW_MS + 1 });
    await store.tokens.create(record, HASH);
    assert.deepStrictEqual(await store.tokens.get("tok1"), { record, secretSha256: HASH });
    assert.equal(await store.tokens.get("tok2"), undefined);
    await assert.rejects(store.tokens.create(record, "other"), withCode("CS_CONFLICT"));
    assert.equal((await store.tokens.get("tok1"))?.secretSha256, HASH);
  });

  storeTest("a token that belongs to a user says whose it is, in lists too", async (store) => {
    const record = sampleToken("tok1", { user_id: "usr_1" });
    await store.tokens.create(record, HASH);
    assert.deepStrictEqual((await store.tokens.get("tok1"))?.record, record);
    assert.deepStrictEqual((await store.tokens.list("t_default", { limit: 10 })).items, [record]);
  });

  storeTest("a revoked token stays readable with the moment of its first revocation", async (store) => {
    await store.tokens.create(sampleToken("tok1"), HASH);
    await store.tokens.revoke("t_default", "tok1", NOW_MS + 5);
    await store.tokens.revoke("t_default", "tok1", NOW_MS + 9);
    assert.equal((await store.tokens.get("tok1"))?.record.revoked_at_ms, NOW_MS + 5);
  });

  storeTest("a token is revoked only by its own tenant", async (store) => {
    await store.tokens.create(sampleToken("tok1"), HASH);
    await assert.rejects(store.tokens.revoke("t_other1", "tok1", NOW_MS), withCode("CS_NOT_FOUND"));
    await assert.rejects(store.tokens.revoke("t_default", "tok2", NOW_MS), withCode("CS_NOT_FOUND"));
    assert.equal((await store.tokens.get("tok1"))?.record.revoked_at_ms, null);
  });

  storeTest("tokens are listed by tenant, newest first", async (store) => {
    for (let n = 0; n < 5; n++) {
      await store.tokens.create(sampleToken(`tok${n}`, { created_at_ms: NOW_MS + (n >> 1) }), HASH);
    }
    await store.tokens.create(sampleToken("theirs", { tenant: "t_other1" }), HASH);
    const pages = await everyPage(2, (page) => store.tokens.list("t_default", page));
    assert.deepStrictEqual(
      pages.map((page) => page.map((record) => record.token_id)),
      [["tok4", "tok3"], ["tok2", "tok1"], ["tok0"]],
    );
  });
}

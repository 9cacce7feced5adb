import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import type { UserRecord } from "@sous/contract";
import { createSqliteStore } from "@sous/store";
import { createLocalAuthenticator } from "./local-authenticator.ts";
import { issueToken, parseLocalToken } from "./local-token.ts";
import { USER_KIND, userKey } from "./user-records.ts";

const BASE_MS = 1_800_000_000_000;
const code = (expected: string) => (error: unknown) => (error as { code?: string }).code === expected;

async function setUp() {
  const store = await createSqliteStore({ path: ":memory:" });
  const state = { nowMs: BASE_MS };
  const clock = () => state.nowMs;
  const auth = createLocalAuthenticator({ store, clock });
  const issue = (expiresAtMs: number | null = null) =>
    issueToken({
      tokens: store.tokens,
      tenant: "t_default",
      principal: { sub: "alice", roles: ["role:app"] },
      expiresAtMs,
      clock,
      randomBytes,
    });
  return { store, state, auth, issue, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

test("an issued token has 256 bits of secret, of which only a hash is kept", async () => {
  await using context = await setUp();
  const { record, token } = await context.issue();
  assert.match(token, /^sous_[0-9a-z]{26}_[\w-]{43}$/);
  const parts = parseLocalToken(token);
  assert.equal(parts?.tokenId, record.token_id);
  assert.equal(Buffer.from(parts?.secret ?? "", "base64url").length, 32);
  const stored = await context.store.tokens.get(record.token_id);
  assert.match(stored?.secretSha256 ?? "", /^[0-9a-f]{64}$/);
  assert.ok(!JSON.stringify(stored).includes(parts?.secret ?? "?"));
});

test("a good token is its owner, the second time from memory", async () => {
  await using context = await setUp();
  const { token } = await context.issue();
  const identity = await context.auth.authenticate(`Bearer ${token}`);
  assert.deepEqual(identity, { principal: { sub: "alice", roles: ["role:app"] }, tenant: "t_default" });
  assert.equal(context.auth.authenticate(`Bearer ${token}`), identity);
});

test("a wrong secret, an unknown id and other texts are invalid", async () => {
  await using context = await setUp();
  const { token } = await context.issue();
  const other = (await context.issue()).token;
  const swapped = token.slice(0, 32) + other.slice(32);
  const bad = [
    swapped,
    `sous_${"0".repeat(26)}_${"A".repeat(43)}`,
    token.slice(0, -1),
    `${token}A`,
    "sous_",
    "x",
  ];
  for (const text of bad) {
    await assert.rejects(
      async () => context.auth.authenticate(`Bearer ${text}`),
      code("CS_AUTHN_INVALID_TOKEN"),
      text,
    );
  }
});

test("a token ends at its time, cached or not", async () => {
  await using context = await setUp();
  const { token } = await context.issue(BASE_MS + 10_000);
  await context.auth.authenticate(`Bearer ${token}`);
  context.state.nowMs += 9999;
  assert.ok(!(context.auth.authenticate(`Bearer ${token}`) instanceof Promise));
  context.state.nowMs += 1;
  await assert.rejects(
    async () => context.auth.authenticate(`Bearer ${token}`),
    code("CS_AUTHN_EXPIRED_TOKEN"),
  );
});

test("a revocation here counts at once, one elsewhere within a minute", async () => {
  await using context = await setUp();
  const here = await context.issue();
  const elsewhere = await context.issue();
  for (const { token } of [here, elsewhere]) await context.auth.authenticate(`Bearer ${token}`);
  for (const { record } of [here, elsewhere]) {
    await context.store.tokens.revoke("t_default", record.token_id, BASE_MS);
  }
  context.auth.forget(here.record.token_id);
  await assert.rejects(
    async () => context.auth.authenticate(`Bearer ${here.token}`),
    code("CS_AUTHN_INVALID_TOKEN"),
  );
  assert.ok(!(context.auth.authenticate(`Bearer ${elsewhere.token}`) instanceof Promise));
  context.state.nowMs += 60_000;
  await assert.rejects(
    async () => context.auth.authenticate(`Bearer ${elsewhere.token}`),
    code("CS_AUTHN_INVALID_TOKEN"),
  );
});

test("a check that began before a revocation is not remembered after it", async () => {
  await using context = await setUp();
  const { token, record } = await context.issue();
  const begun = context.auth.authenticate(`Bearer ${token}`);
  context.auth.forget(record.token_id);
  await begun;
  await context.store.tokens.revoke("t_default", record.token_id, BASE_MS);
  await assert.rejects(
    async () => context.auth.authenticate(`Bearer ${token}`),
    code("CS_AUTHN_INVALID_TOKEN"),
  );
});

test("a store that is gone means unavailable, not invalid", async () => {
  const context = await setUp();
  const { token } = await context.issue();
  await context.store[Symbol.asyncDispose]();
  await assert.rejects(
    async () => context.auth.authenticate(`Bearer ${token}`),
    code("CS_AUTHN_UNAVAILABLE"),
  );
});

test("while the store is away a token that was good stays good for ten minutes, never past its expiry", async () => {
  const store = await createSqliteStore({ path: ":memory:" });
  const state = { nowMs: BASE_MS, away: false, silent: false };
  const clock = () => state.nowMs;
  const tokens = {
    ...store.tokens,
    create: store.tokens.create.bind(store.tokens),
    get(id: string) {
      if (state.silent) return new Promise<never>(() => {});
      return state.away ? Promise.reject(new Error("away")) : store.tokens.get(id);
    },
  };
  const auth = createLocalAuthenticator({ store: { ...store, tokens }, clock });
  const issue = (expiresAtMs: number | null) =>
    issueToken({
      tokens,
      tenant: "t_default",
      principal: { sub: "alice", roles: [] },
      expiresAtMs,
      clock,
      randomBytes,
    });
  const lasting = `Bearer ${(await issue(null)).token}`;
  const ending = `Bearer ${(await issue(BASE_MS + 120_000)).token}`;
  const stranger = `Bearer ${(await issue(null)).token}`;
  const known = await auth.authenticate(lasting);
  await auth.authenticate(ending);

  state.away = true;
  state.nowMs += 61_000;
  assert.equal(await auth.authenticate(lasting), known);
  assert.equal(auth.authenticate(lasting), known, "it is not asked for again at once");
  assert.equal((await auth.authenticate(ending)).principal.sub, "alice");
  await assert.rejects(async () => auth.authenticate(stranger), code("CS_AUTHN_UNAVAILABLE"));
  state.nowMs += 60_000;
  await assert.rejects(async () => auth.authenticate(ending), code("CS_AUTHN_UNAVAILABLE"));
  assert.equal(await auth.authenticate(lasting), known);
  state.nowMs += 600_000;
  await assert.rejects(async () => auth.authenticate(lasting), code("CS_AUTHN_UNAVAILABLE"));
  state.away = false;
  const again = await auth.authenticate(lasting);
  state.silent = true;
  state.nowMs += 61_000;
  assert.equal(await auth.authenticate(lasting), again, "silence is no reason to wait");
  await store[Symbol.asyncDispose]();
});

const ADA: UserRecord = {
  user_id: "usr_1",
  tenant: "t_default",
  name: "ada",
  display_name: "",
  roles: ["role:app", "cs:function:read"],
  state: "active",
  created_at_ms: BASE_MS,
  updated_at_ms: BASE_MS,
};

async function withAda() {
  const context = await setUp();
  const { store, state, auth } = context;
  const { resources } = store;
  const key = userKey("t_default", "ada");
  await resources.create(USER_KIND, key, JSON.stringify(ADA), 10);
  const change = async (over: Partial<UserRecord>) => {
    const { generation } = (await resources.get(USER_KIND, key)) ?? assert.fail();
    assert.ok(await resources.replace(USER_KIND, key, generation, JSON.stringify({ ...ADA, ...over })));
  };
  const { token, record } = await issueToken({
    tokens: store.tokens,
    tenant: "t_default",
    principal: { sub: "ada", roles: ["role:app", "role:other"] },
    userId: "usr_1",
    expiresAtMs: null,
    clock: () => state.nowMs,
    randomBytes,
  });
  const check = async () => auth.authenticate(`Bearer ${token}`);
  return Object.assign(context, { key, change, check, record });
}

test("a user's token names its user, and has of its roles those that the user has", async () => {
  await using context = await withAda();
  assert.deepEqual(await context.check(), {
    principal: { sub: "ada", roles: ["role:app"] },
    tenant: "t_default",
    userId: "usr_1",
  });
  await context.change({ roles: ["admin"] });
  context.auth.forget("usr_1");
  assert.deepEqual((await context.check()).principal.roles, ["role:app", "role:other"], "admin may all");
  await context.change({ roles: [] });
  context.auth.forget("usr_1");
  assert.deepEqual((await context.check()).principal.roles, []);
});

test("a disabled user's tokens count no more, at once where it is told and within the cache's time elsewhere", async () => {
  await using context = await withAda();
  await context.check();
  await context.change({ state: "disabled" });
  assert.equal((await context.check()).userId, "usr_1", "another process is not told");
  context.state.nowMs += 60_000;
  await assert.rejects(context.check, code("CS_AUTHN_INVALID_TOKEN"));
  await context.change({ state: "active" });
  context.auth.forget("usr_1");
  await context.check();
  await context.change({ state: "disabled" });
  context.auth.forget("usr_1");
  await assert.rejects(context.check, code("CS_AUTHN_INVALID_TOKEN"));
});

test("tokens of a deleted user do not count for another one of that name", async () => {
  await using context = await withAda();
  const { resources } = context.store;
  await resources.delete(USER_KIND, context.key);
  await assert.rejects(context.check, code("CS_AUTHN_INVALID_TOKEN"));
  await resources.create(USER_KIND, context.key, JSON.stringify({ ...ADA, user_id: "usr_2" }), 10);
  context.auth.forget("usr_1");
  await assert.rejects(context.check, code("CS_AUTHN_INVALID_TOKEN"));
});

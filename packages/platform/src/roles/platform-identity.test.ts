import assert from "node:assert/strict";
import { test } from "node:test";
import { createRedisCodeQ } from "@sous/codeq/redis";
import { createSqliteStore, type Store } from "@sous/store";
import { withRedis } from "@sous/store/testing";
import { openSecretKeys, type SecretKeys } from "../secrets/secret-keys.ts";
import { agree } from "./platform-identity.ts";

const keysOf = (...bytes: number[]): SecretKeys =>
  openSecretKeys({
    configured: bytes.map((byte) => Buffer.alloc(32, byte).toString("base64")),
    folder: "/nowhere",
  });
const alone = {};

const openStore = (): Promise<Store> => createSqliteStore({ path: ":memory:" });

test("a process whose key of secrets none of the others has is refused, with the keys that they have", async () => {
  await using store = await openStore();
  const { resources } = store;
  await agree({ resources, codeq: alone, keys: undefined });
  await agree({ resources, codeq: alone, keys: keysOf(1) });
  await agree({ resources, codeq: alone, keys: keysOf(1) });
  const id = keysOf(1).current().id;
  await assert.rejects(agree({ resources, codeq: alone, keys: keysOf(2) }), {
    code: "CS_VALIDATION_FAILED",
    message: new RegExp(`secrets_key .*${id}.* SOUS_SECRETS_KEY`),
  });
  // As keys are exchanged: the new one before the old one, then alone.
  await agree({ resources, codeq: alone, keys: keysOf(2, 1) });
  await agree({ resources, codeq: alone, keys: keysOf(1) });
  await agree({ resources, codeq: alone, keys: keysOf(2) });
});

test("processes that start together agree on one identity", async () => {
  await using store = await openStore();
  const seen = new Set<string>();
  const codeq = {
    async belongTo(platform: string) {
      seen.add(platform);
    },
  };
  const starts = Array.from({ length: 10 }, () =>
    agree({ resources: store.resources, codeq, keys: keysOf(1) }),
  );
  await Promise.all(starts);
  assert.equal(seen.size, 1);
});

withRedis({}, (server) => {
  test("the queue of another store is refused, and says what to do", async () => {
    await using first = await openStore();
    await using other = await openStore();
    await using codeq = await createRedisCodeQ({ url: server().url, clock: Date.now });
    await agree({ resources: first.resources, codeq, keys: undefined });
    await agree({ resources: first.resources, codeq, keys: undefined });
    await assert.rejects(agree({ resources: other.resources, codeq, keys: undefined }), {
      code: "CS_CONFLICT",
      message: /another platform.*\?prefix=NAME:.*delete the key cs:codeq:platform/,
    });
    await using own = await createRedisCodeQ({ url: `${server().url}?prefix=own:`, clock: Date.now });
    await agree({ resources: other.resources, codeq: own, keys: undefined });
  });
});

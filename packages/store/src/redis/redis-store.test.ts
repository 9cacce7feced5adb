import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { describeStoreContract, type OpenStore } from "../contract-suite.ts";
import { monitorRedis, readListedCommands, type RedisMonitor, withRedis } from "../testing/index.ts";
import { createRedisStore } from "./redis-store.ts";

/** Opens stores apart from each other on one server. @param url without a query */
const opener =
  (url: () => string): OpenStore =>
  async (options) => {
    const prefix = `{${randomUUID()}}:`;
    const store = await createRedisStore({
      url: `${url()}?prefix=${prefix}`,
      onError: assert.fail,
      ...options,
    });
    return { store, close: async () => store[Symbol.asyncDispose]() };
  };

withRedis({}, (server) => {
  void describe("a watched server", () => {
    let monitor: RedisMonitor;
    before(async () => {
      monitor = await monitorRedis(server().port);
    });
    after(async () => {
      await monitor[Symbol.asyncDispose]();
    });

    describeStoreContract(
      "redis",
      opener(() => server().url),
    );

    test("all of it used only commands that KVRocks has, inside scripts as well", async () => {
      const counted = await server().commands();
      assert.ok(counted.length > 20, `${counted.length} commands were counted`);
      const listed = readListedCommands("store");
      assert.deepEqual(
        counted.filter((name) => !listed.has(name)),
        [],
        "add it to docs/reference/kvrocks-commands.md if KVRocks has it, or do without",
      );
    });

    test("no script of it used a key that it had not declared", async () => {
      await monitor.settled();
      assert.ok(monitor.seen > 10_000, `${monitor.seen} commands of scripts were seen`);
      assert.deepEqual(monitor.undeclared, []);
    });
  });
});

withRedis({ cluster: true }, (server) => {
  describeStoreContract(
    "redis as a cluster",
    opener(() => server().url),
  );

  test("a cluster whose keys would lie in many slots is refused with what to do", async () => {
    await assert.rejects(createRedisStore({ url: server().url }), {
      code: "CS_VALIDATION_FAILED",
      message: /prefix=\{cs\}:/,
    });
  });
});

// Opt-in: a KVRocks, or any other server of the protocol, that somebody runs for it.
const other = process.env["SOUS_TEST_KVROCKS"];
if (other !== undefined) {
  describeStoreContract(
    "the server of SOUS_TEST_KVROCKS",
    opener(() => other),
  );
}

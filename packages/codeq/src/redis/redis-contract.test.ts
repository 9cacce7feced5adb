import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { type ContractBody, type ContractResult, describeCodeQContract } from "../contract/index.ts";
import type { DeadLetterOptions } from "../dead-letter-bounds.ts";
import { createRedisCodeQ } from "./create-redis-codeq.ts";
import { readListedCommands } from "@sous/store/testing";
import { withRedis } from "@sous/store/testing";

const open = (url: string, options?: DeadLetterOptions) =>
  createRedisCodeQ<ContractBody, ContractResult>({ ...options, url, clock: Date.now, onError: assert.fail });

withRedis({}, (server) => {
  describeCodeQContract("redis", (options) => open(server().url, options));

  test("all of it used only commands that KVRocks has, inside scripts as well", async () => {
    const counted = await server().commands();
    assert.ok(counted.length > 20, `${counted.length} commands were counted`);
    const listed = readListedCommands("queue");
    assert.deepEqual(
      counted.filter((name) => !listed.has(name)),
      [],
      "add it to docs/reference/kvrocks-commands.md if KVRocks has it, or do without",
    );
  });
});
withRedis({ cluster: true }, (server) =>
  describeCodeQContract("redis as a cluster", (options) => open(server().url, options)),
);

// Opt-in: a KVRocks, or any other server of the protocol, that somebody runs for it.
const other = process.env["SOUS_TEST_KVROCKS"];
if (other !== undefined) {
  const url = `${other}?prefix=test-${randomUUID()}:`;
  describeCodeQContract("the server of SOUS_TEST_KVROCKS", (options) => open(url, options));
}

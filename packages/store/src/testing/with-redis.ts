import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { missingRedis, type RedisServer, type RedisServerOptions, startRedis } from "./redis-server.ts";

/**
 * Declares tests that share one server; where there is none to start they are skipped with a message that says how
 * to get one, or fail where everything is required.
 */
export function withRedis(options: RedisServerOptions, declare: (server: () => RedisServer) => void): void {
  const missing = missingRedis();
  if (missing !== undefined) {
    test("needs redis-server", (context) => {
      assert.notEqual(process.env["SOUS_TEST_REQUIRE"], "all", `required, but ${missing}`);
      context.skip(missing);
    });
    return;
  }
  let server: RedisServer | undefined;
  before(async () => {
    server = await startRedis(options);
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
  });
  declare(() => {
    assert.ok(server, "the server is up");
    return server;
  });
}

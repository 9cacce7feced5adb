import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { missingNats, type NatsServer, type NatsServerOptions, startNats } from "./nats-server.ts";

/**
 * Declares tests that share one server; where there is none to start they are skipped with a message that says how
 * to get one, or fail where everything is required.
 */
export function withNats(options: NatsServerOptions, declare: (server: () => NatsServer) => void): void {
  const missing = missingNats();
  if (missing !== undefined) {
    test("needs nats-server", (context) => {
      assert.notEqual(process.env["SOUS_TEST_REQUIRE"], "all", `required, but ${missing}`);
      context.skip(missing);
    });
    return;
  }
  let server: NatsServer | undefined;
  before(async () => {
    server = await startNats(options);
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
  });
  declare(() => {
    assert.ok(server, "the server is up");
    return server;
  });
}

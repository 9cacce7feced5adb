import assert from "node:assert/strict";
import { test } from "node:test";
import { freePort } from "../testing/free-port.ts";
import { RedisLink } from "./redis-link.ts";

test("a server that cannot be reached is named with the reason", async () => {
  const address = { host: "127.0.0.1", port: await freePort(), db: 0, tls: false };
  const opened = RedisLink.open({
    address: { ...address, username: undefined, password: undefined },
    subject: "the queue's server",
    code: "CS_CODEQ_PUBLISH_FAILED",
    report: () => {},
    random: Math.random,
  });
  await assert.rejects(opened, {
    code: "CS_CODEQ_PUBLISH_FAILED",
    message: /^the queue's server .*ECONNREFUSED/,
  });
});

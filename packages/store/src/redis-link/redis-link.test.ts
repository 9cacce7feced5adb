import assert from "node:assert/strict";
import { test } from "node:test";
import { freePort } from "../testing/free-port.ts";
import { withRedis } from "../testing/with-redis.ts";
import { RedisLink } from "./redis-link.ts";

const openLink = (port: number, db: number): Promise<RedisLink> =>
  RedisLink.open({
    address: { host: "127.0.0.1", port, db, tls: false, username: undefined, password: undefined },
    subject: "the queue's server",
    code: "CS_CODEQ_PUBLISH_FAILED",
    report: () => {},
    random: Math.random,
  });

test("a server that cannot be reached is named with the reason", async () => {
  await assert.rejects(openLink(await freePort(), 0), {
    code: "CS_CODEQ_PUBLISH_FAILED",
    message: /^the queue's server .*ECONNREFUSED/,
  });
});

withRedis({}, (server) => {
  test("a database that the server does not have is refused, and database 0 is not taken instead", async () => {
    const port = Number(new URL(server().url).port);
    await assert.rejects(openLink(port, 99), {
      code: "CS_CODEQ_PUBLISH_FAILED",
      message: /DB index is out of range/,
    });
    await using link = await openLink(port, 3);
    await link.send("SET", "a", 1);
    await using other = await openLink(port, 0);
    assert.equal(await other.send("GET", "a"), null);
  });
});

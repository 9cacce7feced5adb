import assert from "node:assert/strict";
import { test } from "node:test";
import { RedisLink } from "@sous/store/redis-link";
import { withRedis } from "@sous/store/testing";
import { eventually } from "../contract/harness.ts";
import { createRedisCodeQ } from "./create-redis-codeq.ts";
import { parseRedisUrl } from "./redis-url.ts";

withRedis({}, (server) => {
  test("while replies cannot be read the queue is not there, though everything else of it answers", async () => {
    const { url } = server();
    await using queue = await createRedisCodeQ<number, string>({ url, clock: Date.now });
    await using replies = await queue.openReplies();
    await using admin = await RedisLink.open({
      address: parseRedisUrl(url).address,
      subject: "the server",
      code: "CS_INTERNAL",
      report: () => {},
      random: Math.random,
    });
    const isThere = (): Promise<boolean> =>
      queue.check().then(
        () => true,
        (error: { code?: string }) => {
          assert.equal(error.code, "CS_CODEQ_PUBLISH_FAILED");
          return false;
        },
      );
    /** Ends the connection that waits for replies. */
    async function cut(): Promise<void> {
      const clients = String(await admin.send("CLIENT", "LIST"));
      const [, id] = /^id=(\d+) .*cmd=blmpop/m.exec(clients) ?? [];
      assert.ok(id !== undefined, clients);
      await admin.send("CLIENT", "KILL", "ID", id);
    }
    const isReading = async (): Promise<boolean> =>
      /cmd=blmpop/.test(String(await admin.send("CLIENT", "LIST")));

    await eventually("replies are waited for", isReading);
    assert.ok(await isThere());
    await admin.send("ACL", "SETUSER", "default", "-blmpop");
    await cut();
    await eventually("the queue is not there", async () => !(await isThere()));

    await admin.send("ACL", "SETUSER", "default", "+blmpop");
    const received: string[] = [];
    const address = replies.expect("r1", (result) => received.push(result));
    queue.reply(address, "r1", "late");
    await eventually("the reply that waited comes", () => received.length === 1);
    assert.ok(await isThere());

    await eventually("replies are waited for again", isReading);
    await cut();
    await eventually("the connection comes back by itself", isReading);
    assert.ok(await isThere());
    await replies[Symbol.asyncDispose]();
    assert.ok(await isThere(), "nobody waits for replies any more");
  });
});

import { after, before, describe, test } from "node:test";
import {
  missingPostgres,
  missingRedis,
  type PostgresServer,
  type RedisServer,
  startPostgres,
  startRedis,
} from "@sous/store/testing";
import { describeCadence } from "../support/cadence-suite.ts";
import { scratchFolder, skipUnlessRequired } from "../support/scratch.ts";

const missing = missingPostgres() ?? missingRedis();

test("activities of Cadence on servers", (context) => {
  if (missing !== undefined) skipUnlessRequired(context, missing);
});

if (missing === undefined) {
  describe("activities of Cadence with the store in PostgreSQL and the queue in Redis", () => {
    const data = scratchFolder();
    let postgres: PostgresServer;
    let redis: RedisServer;

    before(async () => {
      [postgres, redis] = await Promise.all([
        startPostgres({ durable: true }),
        startRedis({ durable: true }),
      ]);
    });
    describeCadence({
      settings: () => ({
        data: data.path,
        store: postgres.database().url,
        codeq: redis.url,
        secrets_key: [Buffer.alloc(32, 7).toString("base64")],
      }),
    });
    after(async () => {
      await redis[Symbol.asyncDispose]();
      await postgres[Symbol.asyncDispose]();
      data[Symbol.dispose]();
    });
  });
}

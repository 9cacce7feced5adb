import { after, before, describe } from "node:test";
import { describeStoreContract } from "../contract-suite.ts";
import { type PostgresDatabase, type PostgresServer, startPostgres } from "../testing/index.ts";
import { createPostgresStore } from "./postgres-store.ts";
import { describeWithPostgres } from "./testing/with-postgres.ts";

describeWithPostgres("the store in PostgreSQL", () => {
  let server: PostgresServer;
  let database: PostgresDatabase;

  before(async () => {
    server = await startPostgres();
    database = server.database();
  });
  after(() => server[Symbol.asyncDispose]());

  describe("keeps the contract", () => {
    describeStoreContract("postgres", async (options) => {
      const store = await createPostgresStore({ url: database.url, ...options });
      return {
        store,
        close: async () => {
          await store[Symbol.asyncDispose]();
          database.empty();
        },
      };
    });
  });
});

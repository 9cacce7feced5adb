import { describeStoreContract } from "../contract-suite.ts";
import { createSqliteStore } from "./sqlite-store.ts";

describeStoreContract("sqlite", async (options) => {
  const store = await createSqliteStore({ path: ":memory:", ...options });
  return { store, close: async () => store[Symbol.asyncDispose]() };
});

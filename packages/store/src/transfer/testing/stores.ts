import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPostgresStore } from "../../postgres/postgres-store.ts";
import { createRedisStore } from "../../redis/redis-store.ts";
import { createSqliteStore } from "../../sqlite/sqlite-store.ts";
import type { Store } from "../../store.ts";
import {
  missingPostgres,
  missingRedis,
  type PostgresServer,
  type RedisServer,
  startPostgres,
  startRedis,
} from "../../testing/index.ts";

export type Engine = "sqlite" | "postgres" | "redis";

/** Servers and a folder that tests of all engines share. */
export interface Engines extends AsyncDisposable {
  readonly available: readonly Engine[];
  /** The URL of a store that nobody used before. */
  freshUrl(engine: Engine): string;
  openStore(url: string): Promise<Store>;
}

/** @returns why an engine cannot be tested here, or `undefined` */
export const missingEngine = (): string | undefined => missingPostgres() ?? missingRedis();

/** Starts what is there; SQLite is always. */
export async function startEngines(): Promise<Engines> {
  const folder = mkdtempSync(join(tmpdir(), "sous-transfer-"));
  let postgres: PostgresServer | undefined;
  let redis: RedisServer | undefined;
  if (missingPostgres() === undefined) postgres = await startPostgres();
  if (missingRedis() === undefined) redis = await startRedis();
  const available: Engine[] = ["sqlite"];
  if (postgres !== undefined) available.push("postgres");
  if (redis !== undefined) available.push("redis");
  return {
    available,
    freshUrl(engine) {
      if (engine === "postgres" && postgres !== undefined) return postgres.database().url;
      if (engine === "redis" && redis !== undefined) return `${redis.url}?prefix={${randomUUID()}}:`;
      return `sqlite:${join(folder, randomUUID(), "sous.db")}`;
    },
    async openStore(url) {
      if (url.startsWith("postgres")) return await createPostgresStore({ url });
      if (url.startsWith("redis")) return await createRedisStore({ url });
      return await createSqliteStore({ path: url.slice("sqlite:".length) });
    },
    async [Symbol.asyncDispose]() {
      await postgres?.[Symbol.asyncDispose]();
      await redis?.[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

import { PlatformError } from "@sous/contract";
import type { OpenEndOptions, StoreEnd } from "./store-end.ts";

/**
 * Opens the store a URL names as an end of a migration.
 * @throws CS_VALIDATION_FAILED for an engine this release has no driver of, and what the engine's end throws
 */
export async function openStoreEnd(options: OpenEndOptions): Promise<StoreEnd> {
  const { url } = options;
  if (/^postgres(ql)?:/.test(url)) return await (await import("./postgres-end.ts")).openPostgresEnd(options);
  if (/^rediss?:/.test(url)) return await (await import("../redis/redis-end.ts")).openRedisEnd(options);
  if (/^sqlite:./.test(url) && url !== "sqlite:::memory:") {
    return (await import("./sqlite-end.ts")).openSqliteEnd(options);
  }
  const scheme = url.split(":", 1)[0] ?? "";
  const message = `${scheme}: is no store that data can be brought from or to; use sqlite:PATH, postgres://… or redis://…`;
  throw new PlatformError("CS_VALIDATION_FAILED", message);
}

import type { Statements } from "../sql/statements.ts";
import type { KvScope } from "../store.ts";
import type { Commands } from "./commands.ts";
import type { Connection } from "./connection.ts";
import { Refusal } from "./refusal.ts";

type KvCommands = Pick<Commands, "kvSet" | "kvDelete" | "sweepKv">;

/** Expired entries a full namespace clears at a time to make room. */
const PURGE_ROWS = 500;

/** The writes over key-value data. Every one keeps the namespace's usage row in step. */
export function kvCommands(connection: Connection, sql: Statements): KvCommands {
  const remove = (scope: KvScope, key: string, bytes: number): void => {
    connection.run(sql.kv.remove, { ...scope, key });
    connection.run(sql.kv.addUsage, { ...scope, bytes: -bytes });
  };

  /** What the namespace would hold with `bytes` under `key`. */
  const usageWith = (scope: KvScope, key: string, bytes: number): number => {
    const used = connection.get(sql.kv.usage, scope)?.bytes ?? 0;
    return used - (connection.get(sql.kv.entry, { ...scope, key })?.bytes ?? 0) + bytes;
  };

  /** Removes expired entries of a namespace. @returns how many */
  const purge = (scope: KvScope, nowMs: number): number => {
    const expired = connection.all(sql.kv.expiredOf, { ...scope, nowMs, limit: PURGE_ROWS });
    for (const entry of expired) remove(scope, entry.key, entry.bytes);
    return expired.length;
  };

  return {
    kvSet(tenant, namespace, key, json, bytes, expiresAtMs, quotaBytes, nowMs) {
      const scope = { tenant, namespace };
      // What nobody can read any more must not keep a live value out.
      while (usageWith(scope, key, bytes) > quotaBytes && purge(scope, nowMs) > 0);
      const usage = usageWith(scope, key, bytes);
      if (usage > quotaBytes) {
        throw new Refusal(
          "CS_PAYLOAD_TOO_LARGE",
          `Namespace ${namespace} would hold ${usage} of ${quotaBytes} bytes; delete keys or let them expire`,
        );
      }
      const before = connection.get(sql.kv.entry, { ...scope, key })?.bytes ?? 0;
      connection.run(sql.kv.put, { ...scope, key, json, bytes, expiresAtMs });
      connection.run(sql.kv.addUsage, { ...scope, bytes: bytes - before });
    },

    kvDelete(tenant, namespace, key, nowMs) {
      const scope = { tenant, namespace };
      const entry = connection.get(sql.kv.entry, { ...scope, key });
      if (entry === undefined) return false;
      remove(scope, key, entry.bytes);
      return entry.expires_at_ms === null || entry.expires_at_ms > nowMs;
    },

    sweepKv(nowMs, limit) {
      const expired = connection.all(sql.kv.expired, { nowMs, limit });
      for (const { tenant, namespace, key, bytes } of expired) remove({ tenant, namespace }, key, bytes);
      return expired.length;
    },
  };
}

import type { Statements } from "../statements.ts";
import type { KvScope } from "../../store.ts";
import type { CommandSteps } from "./commands.ts";
import { Refusal } from "../refusal.ts";
import { all, get, send, type Steps } from "./steps.ts";

type KvCommands = Pick<CommandSteps, "kvSet" | "kvDelete" | "sweepKv">;

/** Expired entries a full namespace clears at a time to make room. */
const PURGE_ROWS = 500;

/** The writes over key-value data. Every one keeps the namespace's usage row in step. */
export function kvCommands(sql: Statements): KvCommands {
  function* remove(scope: KvScope, key: string, bytes: number): Steps<void> {
    yield* send(sql.kv.remove, { ...scope, key });
    yield* send(sql.kv.addUsage, { ...scope, bytes: -bytes });
  }

  /** What the namespace holds in all, and what of it under `key`. */
  function* held(scope: KvScope, key: string): Steps<{ used: number; before: number }> {
    const used = (yield* get(sql.kv.usage, scope))?.bytes ?? 0;
    return { used, before: (yield* get(sql.kv.entry, { ...scope, key }))?.bytes ?? 0 };
  }

  /** Removes expired entries of a namespace. @returns how many */
  function* purge(scope: KvScope, nowMs: number): Steps<number> {
    const expired = yield* all(sql.kv.expiredOf, { ...scope, nowMs, limit: PURGE_ROWS });
    for (const entry of expired) yield* remove(scope, entry.key, entry.bytes);
    return expired.length;
  }

  return {
    *kvSet(tenant, namespace, key, json, bytes, expiresAtMs, quotaBytes, nowMs) {
      const scope = { tenant, namespace };
      let { used, before } = yield* held(scope, key);
      // What nobody can read any more must not keep a live value out.
      while (used - before + bytes > quotaBytes && (yield* purge(scope, nowMs)) > 0) {
        ({ used, before } = yield* held(scope, key));
      }
      const usage = used - before + bytes;
      if (usage > quotaBytes) {
        throw new Refusal(
          "CS_PAYLOAD_TOO_LARGE",
          `Namespace ${namespace} would hold ${usage} of ${quotaBytes} bytes; delete keys or let them expire`,
        );
      }
      yield* send(sql.kv.put, { ...scope, key, json, bytes, expiresAtMs });
      yield* send(sql.kv.addUsage, { ...scope, bytes: bytes - before });
    },

    *kvDelete(tenant, namespace, key, nowMs) {
      const scope = { tenant, namespace };
      const entry = yield* get(sql.kv.entry, { ...scope, key });
      if (entry === undefined) return false;
      yield* remove(scope, key, entry.bytes);
      return entry.expires_at_ms === null || entry.expires_at_ms > nowMs;
    },

    *sweepKv(nowMs, limit) {
      const expired = yield* all(sql.kv.expired, { nowMs, limit });
      for (const { tenant, namespace, key, bytes } of expired)
        yield* remove({ tenant, namespace }, key, bytes);
      return expired.length;
    },
  };
}

import { LIMITS } from "@sous/contract";
import type { Store } from "../../store.ts";
import type { CommandName } from "../commands/commands.ts";
import type { Access, SqlWriter } from "./access.ts";
import { createAuditStore } from "./audit-store.ts";
import { createActivationStore, createLogStore } from "./activation-store.ts";
import {
  createAliasStore,
  createDraftStore,
  createFunctionStore,
  createVersionStore,
} from "./catalogue-stores.ts";
import { createKvStore, createQueueJournal, createTokenStore } from "./data-stores.ts";
import { createResourceStore } from "./resource-store.ts";
import { createLeaseStore, createScheduleStore } from "./schedule-store.ts";
import { createSecretStore } from "./secret-store.ts";

/** What a store over SQL may hold, and for how long. */
export interface StoreBounds {
  /** Age at which activations and their logs are swept, milliseconds (LIMITS.activationTtlMs). */
  activationTtlMs?: number | undefined;
  /** Age at which audit events are swept, milliseconds (LIMITS.auditTtlMs). */
  auditTtlMs?: number | undefined;
  /** Bytes of keys and values a namespace may keep (LIMITS.kvNamespaceBytesMax). */
  kvNamespaceBytesMax?: number | undefined;
  /** Secrets a namespace may keep (LIMITS.secretsPerNamespaceMax). */
  secretsPerNamespaceMax?: number | undefined;
  /** Schedules a namespace may keep (LIMITS.schedulesPerNamespaceMax). */
  schedulesPerNamespaceMax?: number | undefined;
}

const SWEEP_ROWS = 500;

/** Everything of a store but its end, over what a driver gives. */
export function createSqlStores(
  access: Access,
  bounds: StoreBounds,
): Omit<Store, typeof Symbol.asyncDispose> {
  const { writer, now } = access;
  const activationTtlMs = bounds.activationTtlMs ?? LIMITS.activationTtlMs;
  return {
    functions: createFunctionStore(access),
    drafts: createDraftStore(access),
    versions: createVersionStore(access),
    aliases: createAliasStore(access),
    activations: createActivationStore(access),
    logs: createLogStore(access),
    kv: createKvStore(access, {
      namespaceBytesMax: bounds.kvNamespaceBytesMax ?? LIMITS.kvNamespaceBytesMax,
    }),
    secrets: createSecretStore(access, {
      perNamespaceMax: bounds.secretsPerNamespaceMax ?? LIMITS.secretsPerNamespaceMax,
    }),
    tokens: createTokenStore(access),
    schedules: createScheduleStore(access, {
      perNamespaceMax: bounds.schedulesPerNamespaceMax ?? LIMITS.schedulesPerNamespaceMax,
    }),
    leases: createLeaseStore(access),
    resources: createResourceStore(access),
    audit: createAuditStore(access),
    journal: createQueueJournal(access),
    check: () => writer.write("probe", now()),
    async sweep(nowMs) {
      const outlivedMs = nowMs - activationTtlMs;
      return (
        (await sweepAll(writer, "sweepActivations", outlivedMs)) +
        (await sweepAll(writer, "sweepGroups", outlivedMs)) +
        (await sweepAll(writer, "sweepLogs", outlivedMs)) +
        (await sweepAll(writer, "sweepDrafts", nowMs)) +
        (await sweepAll(writer, "sweepKv", nowMs)) +
        (await sweepAll(writer, "sweepAudit", nowMs - (bounds.auditTtlMs ?? LIMITS.auditTtlMs)))
      );
    },
  };
}

type Sweep = Extract<CommandName, `sweep${string}`>;

/** Repeats a sweep until it finds nothing; each step is a commit of its own, so that others get in between. */
async function sweepAll(writer: SqlWriter, name: Sweep, timeMs: number): Promise<number> {
  let all = 0;
  for (;;) {
    const removed = await writer.write(name, timeMs, SWEEP_ROWS);
    if (removed === 0) return all;
    all += removed;
  }
}

import { LIMITS, type PlatformError } from "@sous/contract";
import { lossWarnings, invalidUrl, loadScripts, RedisLink } from "../redis-link/index.ts";
import type { Store } from "../store.ts";
import type { Access } from "./access.ts";
import { createAuditStore } from "./audit-store.ts";
import { createActivationStore, createLogStore } from "./activation-store.ts";
import { createAliasStore, createFunctionStore } from "./function-stores.ts";
import { createKvStore } from "./kv-store.ts";
import { createLeaseStore } from "./lease-store.ts";
import { Reader } from "./reader.ts";
import { parseStoreUrl } from "./redis-url.ts";
import { createResourceStore } from "./resource-store.ts";
import { createScheduleStore } from "./schedule-store.ts";
import { createQueueJournal, createSecretStore, createTokenStore } from "./small-stores.ts";
import { createStoreKeys } from "./store-keys.ts";
import { readStoreScripts } from "./store-scripts.ts";
import { sweepAudit, sweepStore } from "./sweep.ts";
import { TickWriter } from "./tick-writer.ts";
import { createDraftStore, createVersionStore } from "./version-stores.ts";

export interface RedisStoreOptions {
  /** `redis[s]://[user:password@]host[:port][/db][?prefix=…]`, the same for all processes of a cluster. */
  url: string;
  /** The clock, epoch milliseconds (`Date.now`). */
  now?: (() => number) | undefined;
  /** Most writes that may wait for the server (50 000); further ones are refused with CS_STORE_UNAVAILABLE. */
  unwrittenMax?: number | undefined;
  /** Most bytes of writes that may wait for the server (256 MiB). */
  unwrittenBytesMax?: number | undefined;
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
  /** From 0 to 1, spreads reconnects (Math.random). */
  random?: (() => number) | undefined;
  /** Hears of what an operator should change about the server (nobody). */
  onWarning?: ((text: string) => void) | undefined;
  /** Hears of the beginning of each outage (nobody). */
  onError?: ((error: PlatformError) => void) | undefined;
}

const UNWRITTEN_MAX = 50_000;
const UNWRITTEN_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Opens the store that lies in a Redis or KVRocks server, for any number of processes.
 *
 * - The writes of one tick are one call of one script. They settle when the server has answered: what a `kill -9` of
 *   the server leaves is a matter of its append-only file (docs/guides/operations.md).
 * - While the server is away everything is refused at once; nothing needs a restart. A write whose answer was lost with
 *   the connection may have been carried out.
 * @throws CS_VALIDATION_FAILED for a URL that cannot be, CS_STORE_UNAVAILABLE when the server cannot be reached
 */
export async function createRedisStore(options: RedisStoreOptions): Promise<Store> {
  const { url, now = Date.now, random = Math.random, onError: report = () => {} } = options;
  const { address, prefix } = parseStoreUrl(url);
  const scripts = readStoreScripts();
  const code = "CS_STORE_UNAVAILABLE";
  const link = await RedisLink.open({ address, subject: "the store's server", code, random, report });
  try {
    await checkServer(link, prefix, options);
    await loadScripts(link, Object.values(scripts));
  } catch (error) {
    await link[Symbol.asyncDispose]();
    throw error;
  }
  const writer = new TickWriter({
    link,
    script: scripts.write,
    unwrittenMax: options.unwrittenMax ?? UNWRITTEN_MAX,
    unwrittenBytesMax: options.unwrittenBytesMax ?? UNWRITTEN_BYTES_MAX,
  });
  const reader = new Reader(link);
  return storeOf({ reader, writer, keys: createStoreKeys(prefix), scripts, now }, options, link);
}

/** @throws CS_VALIDATION_FAILED for a cluster where the names of keys have no tag that keeps them together */
async function checkServer(link: RedisLink, prefix: string, options: RedisStoreOptions): Promise<void> {
  const isCluster = /^cluster_enabled:1\r?$/m.test(String(await link.send("INFO", "cluster")));
  if (isCluster && !prefix.includes("{")) {
    throw invalidUrl("the store's URL", "names a cluster: put all keys into one slot with ?prefix={cs}:");
  }
  for (const text of await lossWarnings(link, "the store's server")) options.onWarning?.(text);
}

function storeOf(access: Access, options: RedisStoreOptions, link: RedisLink): Store {
  const { reader, writer, keys, now } = access;
  const activationTtlMs = options.activationTtlMs ?? LIMITS.activationTtlMs;
  let closing: Promise<void> | undefined;
  return {
    functions: createFunctionStore(access),
    drafts: createDraftStore(access),
    versions: createVersionStore(access),
    aliases: createAliasStore(access),
    activations: createActivationStore(access),
    logs: createLogStore(access),
    kv: createKvStore(access, {
      namespaceBytesMax: options.kvNamespaceBytesMax ?? LIMITS.kvNamespaceBytesMax,
    }),
    secrets: createSecretStore(access, {
      perNamespaceMax: options.secretsPerNamespaceMax ?? LIMITS.secretsPerNamespaceMax,
    }),
    tokens: createTokenStore(access),
    schedules: createScheduleStore(access, {
      perNamespaceMax: options.schedulesPerNamespaceMax ?? LIMITS.schedulesPerNamespaceMax,
    }),
    leases: createLeaseStore(access),
    resources: createResourceStore(access),
    audit: createAuditStore(access),
    journal: createQueueJournal(access),
    async check() {
      await writer.write("probe", [keys.probe], [now()]);
    },
    sweep: async (nowMs) =>
      (await sweepStore(access, nowMs, nowMs - activationTtlMs)) +
      (await sweepAudit(access, nowMs - (options.auditTtlMs ?? LIMITS.auditTtlMs))),
    [Symbol.asyncDispose]() {
      closing ??= (async () => {
        const written = writer.close();
        reader.close();
        await written;
        await link[Symbol.asyncDispose]();
      })();
      return closing;
    },
  };
}

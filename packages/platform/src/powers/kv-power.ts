import { type KvCapability, LIMITS } from "@sous/contract";
import type { KvStore } from "@sous/store";
import type { PowerScope } from "./host-powers.ts";
import {
  badArgument,
  capabilityDenied,
  optionsArgument,
  printJson,
  quoted,
  textArgument,
} from "./parse-arguments.ts";

export type KvOperation = KvCapability["ops"][number];

export interface KvPowerOptions {
  kv: KvStore;
  /** Epoch milliseconds now. */
  clock(): number;
}

const CONTROL = /\p{Cc}/u;
// A hundred years: beyond it a moment stops being one on some engines.
const TTL_SECONDS_MAX = 100 * 365 * 24 * 3600;

/** Answers `cs.kv.*` with JSON text. `get` gives `null` for a missing key, `del` whether there was one. */
export async function callKv(
  options: KvPowerOptions,
  scope: PowerScope,
  operation: KvOperation,
  args: readonly unknown[],
): Promise<string> {
  const { kv, clock } = options;
  const call = `cs.kv.${operation}`;
  const key = checkKey(call, operation, args[0], scope.capabilities.kv);
  const where = { tenant: scope.tenant, namespace: scope.namespace };
  if (operation === "get") return (await kv.get(where, key, clock())) ?? "null";
  if (operation === "del") return JSON.stringify(await kv.delete(where, key));
  if (args.length < 2) throw badArgument(call, "value is missing; use cs.kv.del to delete");
  const json = printJson(call, "value", args[1], LIMITS.kvValueBytesMax);
  const ttlSeconds = readTtl(call, args[2]);
  await kv.set(where, key, json, ttlSeconds === undefined ? null : clock() + ttlSeconds * 1000);
  return "null";
}

function checkKey(call: string, operation: KvOperation, value: unknown, capability: KvCapability): string {
  const key = textArgument(call, "key", value);
  if (key === "") throw badArgument(call, "key is empty");
  if (Buffer.byteLength(key) > LIMITS.kvKeyBytesMax) {
    throw badArgument(call, `key is over ${LIMITS.kvKeyBytesMax} bytes`);
  }
  if (CONTROL.test(key)) throw badArgument(call, "key holds control characters");
  if (!capability.ops.includes(operation)) {
    throw capabilityDenied(
      call,
      `"${operation}" is not allowed`,
      `add "${operation}" to capabilities.kv.ops`,
    );
  }
  if (!capability.prefixes.some((prefix) => key.startsWith(prefix))) {
    const cure = "add a prefix of it to capabilities.kv.prefixes";
    throw capabilityDenied(call, `the key ${quoted(key)} is not allowed`, cure);
  }
  return key;
}

function readTtl(call: string, value: unknown): number | undefined {
  const ttl = optionsArgument(call, "options", value).get("ttlSeconds");
  if (ttl === undefined || ttl === null) return undefined;
  if (typeof ttl !== "number" || !Number.isInteger(ttl) || ttl < 1 || ttl > TTL_SECONDS_MAX) {
    throw badArgument(call, "ttlSeconds must be a whole number from 1 on");
  }
  return ttl;
}

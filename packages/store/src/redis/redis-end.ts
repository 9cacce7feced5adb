import { loadScripts, RedisLink, shownAddress } from "../redis-link/index.ts";
import type { Kind } from "../transfer/kinds.ts";
import type { OpenEndOptions, StoreEnd } from "../transfer/store-end.ts";
import { auditPart } from "./end-audit.ts";
import { aliasPart, bundlePart, draftPart, functionPart, versionPart } from "./end-catalogue.ts";
import { kvPart, resourcePart, secretPart, tokenPart } from "./end-data.ts";
import type { EndAccess, EndPart } from "./end-part.ts";
import { activationPart, groupPart, journalPart, logPart } from "./end-records.ts";
import { schedulePart } from "./end-schedules.ts";
import { asFailure } from "./failure.ts";
import { type KeyCensus, takeCensus } from "./key-census.ts";
import { Reader } from "./reader.ts";
import { parseStoreUrl } from "./redis-url.ts";
import { createStoreKeys } from "./store-keys.ts";
import { readStoreScripts } from "./store-scripts.ts";
import { TickWriter } from "./tick-writer.ts";

const UNWRITTEN_MAX = 50_000;
const UNWRITTEN_BYTES_MAX = 1024 ** 3;

/**
 * Opens a store in Redis as an end of a migration. The server cannot show it as of one moment, and keeps nobody else from writing:
 * who works on it is told by records of the platform alone.
 * @throws CS_VALIDATION_FAILED for a URL that cannot be, CS_STORE_UNAVAILABLE when the server cannot be reached
 */
export async function openRedisEnd({ url, now }: OpenEndOptions): Promise<StoreEnd> {
  const { address, prefix } = parseStoreUrl(url);
  const scripts = readStoreScripts();
  const code = "CS_STORE_UNAVAILABLE";
  const link = await RedisLink.open({
    address,
    subject: "the store's server",
    code,
    random: Math.random,
    report: () => {},
  });
  try {
    await loadScripts(link, Object.values(scripts));
  } catch (error) {
    await link[Symbol.asyncDispose]();
    throw error;
  }
  const reader = new Reader(link);
  const writer = new TickWriter({
    link,
    script: scripts.write,
    unwrittenMax: UNWRITTEN_MAX,
    unwrittenBytesMax: UNWRITTEN_BYTES_MAX,
  });
  let census: Promise<KeyCensus> | undefined;
  const access: EndAccess = {
    reader,
    writer,
    keys: createStoreKeys(prefix),
    scripts,
    now,
    census: () => (census ??= takeCensus(reader, prefix)),
    async put(command, ...args) {
      try {
        return await link.send(command, ...args);
      } catch (error) {
        throw asFailure(error, "CS_STORE_WRITE_FAILED");
      }
    },
  };
  const parts = partsOf(access);
  return {
    place: `redis://${shownAddress(address)}/${address.db} (${prefix})`,
    engine: "redis",
    async isEmpty(kind) {
      for await (const rows of parts[kind].read()) if (rows.length > 0) return false;
      return true;
    },
    read: (kind) => parts[kind].read(),
    find: (kind, rows) => parts[kind].find(rows),
    async insert(kind, rows) {
      // Names that are new have to be found when what was written is looked at.
      census = undefined;
      await parts[kind].insert(rows);
    },
    async settle() {
      census = undefined;
    },
    async [Symbol.asyncDispose]() {
      const written = writer.close();
      reader.close();
      await written;
      await link[Symbol.asyncDispose]();
    },
  };
}

function partsOf(access: EndAccess): Record<Kind, EndPart> {
  return {
    functions: functionPart(access),
    bundles: bundlePart(access),
    drafts: draftPart(access),
    versions: versionPart(access),
    aliases: aliasPart(access),
    secrets: secretPart(access),
    tokens: tokenPart(access),
    kv: kvPart(access),
    schedules: schedulePart(access),
    resources: resourcePart(access),
    audit: auditPart(access),
    activations: activationPart(access),
    groups: groupPart(access),
    logs: logPart(access),
    journal: journalPart(access),
  };
}

import type { SecretRecord, TokenRecord } from "@sous/contract";
import { checkLimit, decodeCursor, pageOf } from "../cursor.ts";
import type { JournalEntry, KvScope, QueueJournal, SecretStore, TokenStore } from "../store.ts";
import { parseStored } from "../stored.ts";
import { type Access, afterName } from "./access.ts";
import { scanKeys } from "./key-census.ts";
import type { Reader } from "./reader.ts";
import { padded, SEPARATOR } from "./store-keys.ts";

/** Journal entries read in one step. */
const ENTRIES = 500;

/** Sealed secrets in Redis. */
export function createSecretStore(
  { reader, writer, keys }: Access,
  bounds: { perNamespaceMax: number },
): SecretStore {
  return {
    async put(scope, { name, sealed, key_id }, nowMs) {
      const reply = await writer.write(
        "secretPut",
        [keys.secrets(scope), keys.sealedSecrets(scope), keys.secretNames(scope)],
        [scope.namespace, name, key_id, sealed, nowMs, bounds.perNamespaceMax],
      );
      const [version, created] = reply as readonly [number, number];
      return { name, version, key_id, created_at_ms: created, updated_at_ms: nowMs };
    },
    async get(scope, name) {
      const [shown, sealed] = await Promise.all([
        reader.send<string | null>("HGET", keys.secrets(scope), name),
        reader.send<string | null>("HGET", keys.sealedSecrets(scope), name),
      ]);
      return shown === null || sealed === null ? undefined : { record: secretOf(name, shown), sealed };
    },
    async reseal(scope, { name, sealed, key_id }, was) {
      const touched = [keys.secrets(scope), keys.sealedSecrets(scope)];
      return (await writer.write("secretReseal", touched, [name, key_id, sealed, was])) === 1;
    },
    async scopes(after, limit) {
      checkLimit({ limit });
      const all = await secretScopes(reader, keys);
      return all.filter((scope) => after === undefined || isAfter(scope, after)).slice(0, limit);
    },
    async list(scope, page) {
      checkLimit(page);
      const [after] = decodeCursor(page, [""]);
      const range = [afterName(after), "+", "LIMIT", 0, page.limit + 1];
      const names = await reader.send<string[]>("ZRANGEBYLEX", keys.secretNames(scope), range);
      const shown =
        names.length === 0 ? [] : await reader.send<(string | null)[]>("HMGET", keys.secrets(scope), names);
      return pageOf(
        names.flatMap((name, at) => {
          const text = shown[at];
          return text === null || text === undefined ? [] : [secretOf(name, text)];
        }),
        page.limit,
        (record) => record,
        (record) => [record.name],
      );
    },
    async delete(scope, name) {
      await writer.write(
        "secretDelete",
        [keys.secrets(scope), keys.sealedSecrets(scope), keys.secretNames(scope)],
        [scope.namespace, name],
      );
    },
  };
}

/** Nothing but the keys tells which namespaces have secrets; few need to know. */
async function secretScopes(reader: Reader, keys: Access["keys"]): Promise<KvScope[]> {
  const found = new Map<string, KvScope>();
  const pattern = keys.secrets({ tenant: "*", namespace: "*" });
  for await (const key of scanKeys(reader, pattern)) {
    const [tenant = "", namespace = ""] = key.split(":").slice(-3);
    found.set(key, { tenant, namespace });
  }
  return [...found.values()].sort((a, b) => (isAfter(a, b) ? 1 : -1));
}

const isAfter = (one: KvScope, other: KvScope): boolean =>
  one.tenant === other.tenant ? one.namespace > other.namespace : one.tenant > other.tenant;

function secretOf(name: string, shown: string): SecretRecord {
  const [version, created, updated, ...key] = shown.split(" ");
  return {
    name,
    version: Number(version),
    key_id: key.join(" "),
    created_at_ms: Number(created),
    updated_at_ms: Number(updated),
  };
}

/** API tokens in Redis. */
export function createTokenStore({ reader, writer, keys }: Access): TokenStore {
  const read = async (id: string) => {
    const fields = ["doc", "sha256", "revoked"];
    const [doc, sha256, revoked] = await reader.send<(string | null)[]>("HMGET", keys.token(id), fields);
    if (typeof doc !== "string" || typeof sha256 !== "string") return undefined;
    const revoked_at_ms = typeof revoked === "string" ? Number(revoked) : null;
    return { record: { ...parseStored<TokenRecord>(doc), revoked_at_ms }, secretSha256: sha256 };
  };
  return {
    async create(record, secretSha256) {
      const { token_id: id, tenant, created_at_ms, revoked_at_ms } = record;
      const place = `${padded(created_at_ms)}${SEPARATOR}${id}`;
      await writer.write(
        "tokenCreate",
        [keys.token(id), keys.tokensOfTenant(tenant)],
        [id, tenant, secretSha256, JSON.stringify(record), revoked_at_ms ?? "", place],
      );
    },
    get: (tokenId) => read(tokenId),
    async list(tenant, page) {
      checkLimit(page);
      const [beforeMs, beforeId] = decodeCursor(page, [Number.MAX_SAFE_INTEGER, ""]);
      const below = `(${padded(beforeMs)}${SEPARATOR}${beforeId}`;
      const range = [below, "-", "LIMIT", 0, page.limit + 1];
      const places = await reader.send<string[]>("ZREVRANGEBYLEX", keys.tokensOfTenant(tenant), range);
      const found = await Promise.all(places.map((place) => read(place.slice(place.indexOf(SEPARATOR) + 1))));
      return pageOf(
        found.filter((token) => token !== undefined),
        page.limit,
        ({ record }) => record,
        ({ record }) => [record.created_at_ms, record.token_id],
      );
    },
    async revoke(tenant, tokenId, revokedAtMs) {
      await writer.write("tokenRevoke", [keys.token(tokenId)], [tokenId, tenant, revokedAtMs]);
    },
  };
}

/** The embedded queue's journal in Redis. */
export function createQueueJournal({ reader, writer, keys }: Access): QueueJournal {
  return {
    async append({ body_json, ...entry }) {
      await writer.write(
        "journalAppend",
        [keys.journalSequence, keys.journalOrder, keys.journalEntries, keys.journalBodies],
        [entry.id, JSON.stringify(entry), body_json],
      );
    },
    async update({ body_json: _, ...entry }) {
      await writer.write("journalUpdate", [keys.journalEntries], [entry.id, JSON.stringify(entry)]);
    },
    async remove(id) {
      await writer.write("journalRemove", [keys.journalOrder, keys.journalEntries, keys.journalBodies], [id]);
    },
    async load() {
      const entries: JournalEntry[] = [];
      for (let from = "-inf"; ;) {
        const range = [from, "+inf", "WITHSCORES", "LIMIT", 0, ENTRIES];
        const flat = await reader.send<string[]>("ZRANGEBYSCORE", keys.journalOrder, range);
        const ids = flat.filter((_, at) => at % 2 === 0);
        if (ids.length === 0) return entries;
        const [heads, bodies] = await Promise.all([
          reader.send<(string | null)[]>("HMGET", keys.journalEntries, ids),
          reader.send<(string | null)[]>("HMGET", keys.journalBodies, ids),
        ]);
        for (const [at, head] of heads.entries()) {
          const body_json = bodies[at];
          if (head === null || typeof body_json !== "string") continue;
          entries.push({ ...parseStored<Omit<JournalEntry, "body_json">>(head), body_json });
        }
        from = `(${flat.at(-1)}`;
      }
    },
  };
}

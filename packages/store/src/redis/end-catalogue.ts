import type { AliasRecord, DraftRecord } from "@sous/contract";
import type { FunctionKey } from "../store.ts";
import { parseStored } from "../stored.ts";
import type { Row } from "../transfer/kinds.ts";
import { type EndAccess, type EndPart, inBatches, namesOf, scoredMembers, text } from "./end-part.ts";
import { SEPARATOR } from "./store-keys.ts";

const pathOf = (row: Row): FunctionKey => ({
  tenant: text(row, "tenant"),
  namespace: text(row, "namespace"),
  name: text(row, "name"),
});

/** Every function there is, also those that are deleted. */
async function* everyFunction(access: EndAccess): AsyncIterable<FunctionKey> {
  for (const scope of (await access.census()).functions) {
    for (const name of await namesOf(access, access.keys.functions(scope))) yield { ...scope, name };
  }
}

export function functionPart(access: EndAccess): EndPart {
  const { reader, keys, put } = access;
  const read = async (key: FunctionKey): Promise<Row | undefined> => {
    const [doc = null, deleted = null, seq = null] = await reader.send<(string | null)[]>(
      "MGET",
      keys.meta(key),
      keys.deleted(key),
      keys.versionSequence(key),
    );
    if (doc === null) return undefined;
    return {
      ...key,
      version_seq: Number(seq ?? 0),
      deleted_at_ms: deleted === null ? null : Number(deleted),
      doc,
    };
  };
  async function* rows(): AsyncIterable<Row> {
    for await (const key of everyFunction(access)) {
      const row = await read(key);
      if (row !== undefined) yield row;
    }
  }
  return {
    read: () => inBatches("functions", rows()),
    find: (wanted) => Promise.all(wanted.map((row) => read(pathOf(row)))),
    async insert(added) {
      await Promise.all(
        added.flatMap((row) => {
          const key = pathOf(row);
          const { deleted_at_ms: deleted, version_seq: seq } = row;
          return [
            put("ZADD", keys.functions(key), 0, key.name),
            typeof deleted === "number"
              ? put("SET", keys.deleted(key), deleted)
              : put("ZADD", keys.activeFunctions(key), 0, key.name),
            ...(Number(seq) > 0 ? [put("SET", keys.versionSequence(key), Number(seq))] : []),
            put("SET", keys.meta(key), text(row, "doc")),
          ];
        }),
      );
    },
  };
}

export function bundlePart(access: EndAccess): EndPart {
  const { reader, keys, put } = access;
  const read = async (sha256: string): Promise<Row | undefined> => {
    const [bytes, published] = await reader.sendForBytes<(Buffer | null)[]>(
      "MGET",
      keys.bundle(sha256),
      keys.bundlePublished(sha256),
    );
    if (bytes === null || bytes === undefined) return undefined;
    return {
      sha256,
      published: published === null || published === undefined ? 0 : 1,
      bytes: new Uint8Array(bytes),
    };
  };
  async function* rows(): AsyncIterable<Row> {
    for (const sha256 of (await access.census()).bundles) {
      const row = await read(sha256);
      if (row !== undefined) yield row;
    }
  }
  return {
    read: () => inBatches("bundles", rows()),
    find: (wanted) => Promise.all(wanted.map((row) => read(text(row, "sha256")))),
    async insert(added) {
      for (const row of added) {
        const sha256 = text(row, "sha256");
        if (row["published"] === 1) await put("SET", keys.bundlePublished(sha256), "1");
        await put("SET", keys.bundle(sha256), Buffer.from(row["bytes"] as Uint8Array));
      }
    },
  };
}

export function draftPart(access: EndAccess): EndPart {
  const { reader, keys, put } = access;
  const read = async (key: FunctionKey, id: string): Promise<Row | undefined> => {
    const fields = ["doc", "expires", "consumed"];
    const [doc, , consumed] = await reader.send<(string | null)[]>("HMGET", keys.draft(key, id), fields);
    if (typeof doc !== "string") return undefined;
    const { draft_id, sha256, size_bytes, created_at_ms, expires_at_ms } = parseStored<DraftRecord>(doc);
    const record = { draft_id, sha256, size_bytes, created_at_ms, expires_at_ms };
    return { ...key, ...record, consumed: consumed === "1" ? 1 : 0 };
  };
  async function* rows(): AsyncIterable<Row> {
    for await (const places of scoredMembers(access, keys.drafts)) {
      for (const { member: place } of places) {
        const [tenant = "", namespace = "", name = "", id = ""] = place.split(SEPARATOR);
        const row = await read({ tenant, namespace, name }, id);
        if (row !== undefined) yield row;
      }
    }
  }
  return {
    read: () => inBatches("drafts", rows()),
    find: (wanted) => Promise.all(wanted.map((row) => read(pathOf(row), text(row, "draft_id")))),
    async insert(added) {
      await Promise.all(
        added.flatMap((row) => {
          const { tenant, namespace, name, consumed, ...rest } = row;
          const key = pathOf(row);
          const [id, sha256] = [text(row, "draft_id"), text(row, "sha256")];
          const place = [tenant, namespace, name, id, sha256].join(SEPARATOR);
          const expires = Number(row["expires_at_ms"]);
          const doc = JSON.stringify({ ...rest, consumed: false });
          const fields = [
            "doc",
            doc,
            "sha256",
            sha256,
            "expires",
            expires,
            "consumed",
            consumed === 1 ? "1" : "0",
          ];
          return [
            put("ZADD", keys.drafts, expires, place),
            put("SADD", keys.bundleDrafts(sha256), place),
            put("HSET", keys.draft(key, id), ...fields),
          ];
        }),
      );
    },
  };
}

export function versionPart(access: EndAccess): EndPart {
  const { reader, keys, put } = access;
  const rowOf = (key: FunctionKey, version: number, stored: string): Row => {
    const { version: _, ...draft } = parseStored<Record<string, unknown>>(stored);
    return { ...key, version, doc: JSON.stringify(draft) };
  };
  const read = async (key: FunctionKey, version: number): Promise<Row | undefined> => {
    const stored = await reader.send<string | null>("GET", keys.version(key, version));
    return stored === null ? undefined : rowOf(key, version, stored);
  };
  async function* rows(): AsyncIterable<Row> {
    for await (const key of everyFunction(access)) {
      const newest = Number((await reader.send<string | null>("GET", keys.versionSequence(key))) ?? 0);
      for (let version = 1; version <= newest; version++) {
        const row = await read(key, version);
        if (row !== undefined) yield row;
      }
    }
  }
  return {
    read: () => inBatches("versions", rows()),
    find: (wanted) => Promise.all(wanted.map((row) => read(pathOf(row), Number(row["version"])))),
    async insert(added) {
      await Promise.all(
        added.map((row) => {
          const version = Number(row["version"]);
          const draft = parseStored<Record<string, unknown>>(text(row, "doc"));
          return put("SET", keys.version(pathOf(row), version), JSON.stringify({ version, ...draft }));
        }),
      );
    },
  };
}

export function aliasPart(access: EndAccess): EndPart {
  const { reader, keys, put } = access;
  const read = async (key: FunctionKey, alias: string): Promise<Row | undefined> => {
    const stored = await reader.send<string | null>("GET", keys.alias(key, alias));
    if (stored === null) return undefined;
    const { version, weights, updated_at_ms } = parseStored<AliasRecord>(stored);
    return {
      ...key,
      alias,
      version,
      weights: weights === undefined ? null : JSON.stringify(weights),
      updated_at_ms,
    };
  };
  async function* rows(): AsyncIterable<Row> {
    for await (const key of everyFunction(access)) {
      for (const alias of await namesOf(access, keys.aliases(key))) {
        const row = await read(key, alias);
        if (row !== undefined) yield row;
      }
    }
  }
  return {
    read: () => inBatches("aliases", rows()),
    find: (wanted) => Promise.all(wanted.map((row) => read(pathOf(row), text(row, "alias")))),
    async insert(added) {
      await Promise.all(
        added.flatMap((row) => {
          const key = pathOf(row);
          const alias = text(row, "alias");
          const record: Record<string, unknown> = {
            alias,
            version: row["version"],
            updated_at_ms: row["updated_at_ms"],
          };
          if (typeof row["weights"] === "string") record["weights"] = parseStored<unknown>(row["weights"]);
          return [
            put("ZADD", keys.aliases(key), 0, alias),
            put("SET", keys.alias(key, alias), JSON.stringify(record)),
          ];
        }),
      );
    },
  };
}

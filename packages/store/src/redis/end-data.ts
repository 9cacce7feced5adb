import type { KvScope } from "../store.ts";
import { parseStored } from "../stored.ts";
import type { Row } from "../transfer/kinds.ts";
import { type EndAccess, type EndPart, inBatches, namesOf, lexMembers, text } from "./end-part.ts";
import { kvKeys } from "./kv-store.ts";
import { padded, SEPARATOR } from "./store-keys.ts";

const scopeOf = (row: Row): KvScope => ({ tenant: text(row, "tenant"), namespace: text(row, "namespace") });

export function kvPart(access: EndAccess): EndPart {
  const { reader, writer, keys } = access;
  const read = async (scope: KvScope, names: readonly string[]): Promise<(Row | undefined)[]> => {
    const [values, ends] = await Promise.all([
      reader.send<(string | null)[]>("HMGET", keys.kvValues(scope), names),
      reader.send<(string | null)[]>("ZMSCORE", keys.kvEnds(scope), names),
    ]);
    return names.map((key, at) => {
      const [json, end] = [values[at], ends[at]];
      if (typeof json !== "string") return undefined;
      return { ...scope, key, json, expires_at_ms: typeof end === "string" ? Number(end) : null };
    });
  };
  async function* rows(): AsyncIterable<Row> {
    for (const scope of (await access.census()).kv) {
      for await (const names of lexMembers(access, keys.kvKeys(scope))) {
        for (let at = 0; at < names.length; at += VALUES_AT_ONCE) {
          for (const row of await read(scope, names.slice(at, at + VALUES_AT_ONCE)))
            if (row !== undefined) yield row;
        }
      }
    }
  }
  return {
    read: () => inBatches("kv", rows()),
    find: (wanted) =>
      Promise.all(wanted.map(async (row) => (await read(scopeOf(row), [text(row, "key")]))[0])),
    async insert(added) {
      await Promise.all(
        added.map((row) => {
          const scope = scopeOf(row);
          const member = scope.tenant + SEPARATOR + scope.namespace;
          const end = row["expires_at_ms"];
          const args = [member, text(row, "key"), text(row, "json"), typeof end === "number" ? end : ""];
          return writer.write("kvSet", kvKeys(keys, scope), [...args, Number.MAX_SAFE_INTEGER, 0]);
        }),
      );
    },
  };
}

/** A value may have 256 KiB. */
const VALUES_AT_ONCE = 20;

export function secretPart(access: EndAccess): EndPart {
  const { reader, keys, put } = access;
  const read = async (scope: KvScope, name: string): Promise<Row | undefined> => {
    const [shown, sealed] = await Promise.all([
      reader.send<string | null>("HGET", keys.secrets(scope), name),
      reader.send<string | null>("HGET", keys.sealedSecrets(scope), name),
    ]);
    if (shown === null || sealed === null) return undefined;
    const [version, created, updated, ...keyId] = shown.split(" ");
    return {
      ...scope,
      name,
      version: Number(version),
      key_id: keyId.join(" "),
      sealed,
      created_at_ms: Number(created),
      updated_at_ms: Number(updated),
    };
  };
  async function* rows(): AsyncIterable<Row> {
    for (const scope of (await access.census()).secrets) {
      for (const name of await namesOf(access, keys.secretNames(scope))) {
        const row = await read(scope, name);
        if (row !== undefined) yield row;
      }
    }
  }
  return {
    read: () => inBatches("secrets", rows()),
    find: (wanted) => Promise.all(wanted.map((row) => read(scopeOf(row), text(row, "name")))),
    async insert(added) {
      await Promise.all(
        added.flatMap((row) => {
          const scope = scopeOf(row);
          const name = text(row, "name");
          const shown = ["version", "created_at_ms", "updated_at_ms", "key_id"].map((column) =>
            text(row, column),
          );
          return [
            put("ZADD", keys.secretNames(scope), 0, name),
            put("HSET", keys.sealedSecrets(scope), name, text(row, "sealed")),
            put("HSET", keys.secrets(scope), name, shown.join(" ")),
          ];
        }),
      );
    },
  };
}

export function tokenPart(access: EndAccess): EndPart {
  const { reader, writer, keys } = access;
  const read = async (id: string): Promise<Row | undefined> => {
    const fields = ["tenant", "sha256", "revoked", "doc"];
    const [tenant, sha256, revoked, doc] = await reader.send<(string | null)[]>(
      "HMGET",
      keys.token(id),
      fields,
    );
    if (typeof tenant !== "string" || typeof sha256 !== "string" || typeof doc !== "string") return undefined;
    const { created_at_ms } = parseStored<{ created_at_ms: number }>(doc);
    const revoked_at_ms = typeof revoked === "string" ? Number(revoked) : null;
    return { token_id: id, tenant, secret_sha256: sha256, created_at_ms, revoked_at_ms, doc };
  };
  async function* rows(): AsyncIterable<Row> {
    for (const id of (await access.census()).tokens) {
      const row = await read(id);
      if (row !== undefined) yield row;
    }
  }
  return {
    read: () => inBatches("tokens", rows()),
    find: (wanted) => Promise.all(wanted.map((row) => read(text(row, "token_id")))),
    async insert(added) {
      await Promise.all(
        added.map((row) => {
          const [id, tenant] = [text(row, "token_id"), text(row, "tenant")];
          const place = `${padded(Number(row["created_at_ms"]))}${SEPARATOR}${id}`;
          return writer.write(
            "tokenCreate",
            [keys.token(id), keys.tokensOfTenant(tenant)],
            [id, tenant, text(row, "secret_sha256"), text(row, "doc"), text(row, "revoked_at_ms"), place],
          );
        }),
      );
    },
  };
}

export function resourcePart(access: EndAccess): EndPart {
  const { reader, keys, put } = access;
  const read = async (kind: string, place: string): Promise<Row | undefined> => {
    const stored = await reader.send<string | null>("HGET", keys.resources(kind), place);
    if (stored === null) return undefined;
    const [tenant = "", namespace = "", name = ""] = place.split(SEPARATOR);
    const at = stored.indexOf(" ");
    return {
      kind,
      tenant,
      namespace,
      name,
      generation: Number(stored.slice(0, at)),
      doc: stored.slice(at + 1),
    };
  };
  const placeOf = (row: Row): string =>
    ["tenant", "namespace", "name"].map((column) => text(row, column)).join(SEPARATOR);
  async function* rows(): AsyncIterable<Row> {
    for (const kind of (await access.census()).resourceKinds) {
      for await (const places of lexMembers(access, keys.resourcePlaces(kind))) {
        for (const place of places) {
          const row = await read(kind, place);
          if (row !== undefined) yield row;
        }
      }
    }
  }
  return {
    read: () => inBatches("resources", rows()),
    find: (wanted) => Promise.all(wanted.map((row) => read(text(row, "kind"), placeOf(row)))),
    async insert(added) {
      await Promise.all(
        added.flatMap((row) => {
          const kind = text(row, "kind");
          return [
            put("ZADD", keys.resourcePlaces(kind), 0, placeOf(row)),
            put("HSET", keys.resources(kind), placeOf(row), `${text(row, "generation")} ${text(row, "doc")}`),
          ];
        }),
      );
    },
  };
}

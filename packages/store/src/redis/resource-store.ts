import { checkLimit, decodeCursor, pageOf } from "../cursor.ts";
import { checkKind, checkRecord, checkResource, checkScope } from "../resource-rules.ts";
import { nameTaken, namespaceFull } from "../resource-refusals.ts";
import type { FunctionKey, KvScope, Page, ResourceStore, StoredResource } from "../store.ts";
import { type Access, afterName } from "./access.ts";
import { SEPARATOR } from "./store-keys.ts";

/** Records read in one step, so that no reply grows beyond a few megabytes. */
const RECORDS = 50;
/** Follows the separator, so that it ends the places that go on from one. */
const PAST_SEPARATOR = " ";

const scopeOf = ({ tenant, namespace }: KvScope): string => tenant + SEPARATOR + namespace;
const placeOf = (key: FunctionKey): string => scopeOf(key) + SEPARATOR + key.name;

/** Named things that are only text to the store, in Redis. */
export function createResourceStore({ reader, writer, keys }: Access): ResourceStore {
  async function read(kind: string, places: readonly string[]): Promise<StoredResource[]> {
    const found: StoredResource[] = [];
    for (let at = 0; at < places.length; at += RECORDS) {
      const some = places.slice(at, at + RECORDS);
      const docs = await reader.send<(string | null)[]>("HMGET", keys.resources(kind), some);
      for (const [n, place] of some.entries()) {
        const doc = docs[n];
        if (typeof doc === "string") found.push(storedOf(place, doc));
      }
    }
    return found;
  }

  /** A page's last place, not its last record, tells whether there is more: one may have gone meanwhile. */
  async function pageFrom(kind: string, from: string, to: string, limit: number) {
    const range = [from, to, "LIMIT", 0, limit + 1];
    const places = await reader.send<string[]>("ZRANGEBYLEX", keys.resourcePlaces(kind), range);
    const { items, next_cursor } = pageOf(
      places,
      limit,
      (place) => place,
      (place) => place.split(SEPARATOR),
    );
    return { places: items, next_cursor };
  }

  return {
    async create(kind, key, recordJson, max) {
      checkResource(kind, key);
      checkRecord(kind, key, recordJson);
      const { namespace } = key;
      const scope = scopeOf(key);
      await writer.write(
        "resourceCreate",
        [keys.resources(kind), keys.resourcePlaces(kind)],
        [
          placeOf(key),
          recordJson,
          `[${scope}${SEPARATOR}`,
          `(${scope}${PAST_SEPARATOR}`,
          max,
          nameTaken(kind, key),
          namespaceFull(kind, namespace, max),
        ],
      );
    },
    async get(kind, key) {
      checkResource(kind, key);
      const doc = await reader.send<string | null>("HGET", keys.resources(kind), placeOf(key));
      return doc === null ? undefined : storedOf(placeOf(key), doc);
    },
    async list(kind, scope, page): Promise<Page<StoredResource>> {
      checkScope(kind, scope);
      checkLimit(page);
      const [, , after] = decodeCursor(page, ["", "", ""]);
      const begin = scopeOf(scope) + SEPARATOR;
      const from = after === "" ? `[${begin}` : `(${begin}${after}`;
      const { places, next_cursor } = await pageFrom(
        kind,
        from,
        `(${scopeOf(scope)}${PAST_SEPARATOR}`,
        page.limit,
      );
      return { items: await read(kind, places), next_cursor };
    },
    async all(kind, page): Promise<Page<StoredResource>> {
      checkKind(kind);
      checkLimit(page);
      const [tenant, namespace, name] = decodeCursor(page, ["", "", ""]);
      const after = name === "" ? "" : placeOf({ tenant, namespace, name });
      const { places, next_cursor } = await pageFrom(kind, afterName(after), "+", page.limit);
      return { items: await read(kind, places), next_cursor };
    },
    async replace(kind, key, generation, recordJson, fence) {
      checkResource(kind, key);
      checkRecord(kind, key, recordJson);
      const touched = [keys.resources(kind), ...(fence === undefined ? [] : [keys.lease(fence.lease)])];
      const args = [placeOf(key), generation, recordJson, ...(fence === undefined ? [] : [fence.epoch])];
      return (await writer.write("resourceReplace", touched, args)) === 1;
    },
    async delete(kind, key, generation) {
      checkResource(kind, key);
      const touched = [keys.resources(kind), keys.resourcePlaces(kind)];
      return (await writer.write("resourceDelete", touched, [placeOf(key), generation ?? ""])) === 1;
    },
  };
}

function storedOf(place: string, doc: string): StoredResource {
  const [tenant = "", namespace = "", name = ""] = place.split(SEPARATOR);
  const at = doc.indexOf(" ");
  const record_json = doc.slice(at + 1);
  return { key: { tenant, namespace, name }, generation: Number(doc.slice(0, at)), record_json };
}

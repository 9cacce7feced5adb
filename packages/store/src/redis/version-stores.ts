import type { DraftRecord, VersionRecord } from "@sous/contract";
import { checkLimit, decodeCursor, pageOf } from "../cursor.ts";
import type { DraftStore, FunctionKey, VersionStore } from "../store.ts";
import { parseStored } from "../stored.ts";
import type { Access } from "./access.ts";
import { titleOf } from "./function-stores.ts";
import { SEPARATOR } from "./store-keys.ts";

/** Keys of versions a publish declares: it finds the next number among them, or learns where to look. */
const VERSIONS_DECLARED = 64;

/** Drafts in Redis. */
export function createDraftStore({ reader, writer, keys }: Access): DraftStore {
  return {
    async put(key, draft, bundle) {
      const { draft_id: id, sha256, expires_at_ms } = draft;
      const place = [key.tenant, key.namespace, key.name, id, sha256].join(SEPARATOR);
      await writer.write(
        "draftPut",
        [
          keys.meta(key),
          keys.deleted(key),
          keys.draft(key, id),
          keys.drafts,
          keys.bundle(sha256),
          keys.bundleDrafts(sha256),
        ],
        // A copy: the caller's bytes may change before they are sent.
        [titleOf(key), id, sha256, expires_at_ms, JSON.stringify(draft), Buffer.from(bundle), place],
      );
    },
    async get(key, draftId) {
      const [doc = null, sha256 = null, consumed] = await reader.send<(string | null)[]>(
        "HMGET",
        keys.draft(key, draftId),
        "doc",
        "sha256",
        "consumed",
      );
      if (doc === null || sha256 === null) return undefined;
      const bytes = await reader.sendForBytes<Buffer | null>("GET", keys.bundle(sha256));
      if (bytes === null) return undefined;
      const draft = { ...parseStored<DraftRecord>(doc), consumed: consumed === "1" };
      return { draft, bundle: new Uint8Array(bytes) };
    },
  };
}

/** Versions and published bundles in Redis. */
export function createVersionStore({ reader, writer, keys }: Access): VersionStore {
  const newest = async (key: FunctionKey): Promise<number> =>
    Number((await reader.send<string | null>("GET", keys.versionSequence(key))) ?? 0);

  return {
    async publish({ key, draftId, version, alias = "", nowMs }) {
      const { sha256 } = version;
      const fixed = [
        keys.meta(key),
        keys.deleted(key),
        keys.versionSequence(key),
        keys.draft(key, draftId),
        keys.bundlePublished(sha256),
        keys.alias(key, alias),
        keys.aliases(key),
      ];
      let base = 0;
      for (;;) {
        const numbers = Array.from({ length: VERSIONS_DECLARED }, (_, at) => base + 1 + at);
        const reply = await writer.write(
          "versionPublish",
          [...fixed, ...numbers.map((number) => keys.version(key, number))],
          [titleOf(key), draftId, sha256, JSON.stringify(version), nowMs, base, alias, JSON.stringify(alias)],
        );
        if (typeof reply === "number") return { ...version, version: reply };
        base = Number(reply[0]);
      }
    },
    async get(key, version) {
      const doc = await reader.send<string | null>("GET", keys.version(key, version));
      return doc === null ? undefined : parseStored<VersionRecord>(doc);
    },
    async latest(key) {
      const number = await newest(key);
      return number === 0 ? undefined : await this.get(key, number);
    },
    async list(key, page) {
      checkLimit(page);
      const [before] = decodeCursor(page, [Number.MAX_SAFE_INTEGER]);
      const first = Math.min(before - 1, await newest(key));
      const count = Math.max(0, Math.min(page.limit + 1, first));
      const numbers = Array.from({ length: count }, (_, at) => first - at);
      const docs = await reader.texts(numbers.map((number) => keys.version(key, number)));
      const versions = docs.filter((doc) => doc !== null).map((doc) => parseStored<VersionRecord>(doc));
      return pageOf(
        versions,
        page.limit,
        (version) => version,
        ({ version }) => [version],
      );
    },
    async bundle(sha256) {
      const [published, bytes] = await reader.sendForBytes<(Buffer | null)[]>(
        "MGET",
        keys.bundlePublished(sha256),
        keys.bundle(sha256),
      );
      return published && bytes ? new Uint8Array(bytes) : undefined;
    },
    async mendBundle(sha256, bytes) {
      const touched = [keys.bundlePublished(sha256), keys.bundle(sha256)];
      await writer.write("bundleMend", touched, [Buffer.from(bytes)]);
    },
  };
}

import { LATEST_ALIAS, LIMITS, PlatformError, type RefTarget, type VersionRecord } from "@sous/contract";
import type { FunctionKey, Store } from "@sous/store";
import type { Catalog } from "./catalog.ts";
import { startOwnTimer } from "./own-time.ts";
import { createTargetTable, type Target } from "./target-table.ts";

export interface CatalogOptions {
  store: Pick<Store, "functions" | "versions" | "aliases">;
  /** Epoch milliseconds. */
  clock: () => number;
  /** @returns a number from 0 up to 1; decides where calls of a weighted alias go */
  random: () => number;
  /** How old an answer may be while the store answers (1,000). */
  ttlMs?: number;
  /** Most references kept (20,000). */
  entriesMax?: number;
}

/**
 * Whoever has something cached waits no longer for a store that says nothing: the first time, and while it is known to be
 * silent or down, milliseconds.
 */
const PATIENCE_MS = 1000;
const DOWN_PATIENCE_MS = 50;
/** After a failed look-up the store is left alone for so long, and what is cached is served without asking. */
const DOWN_RETRY_MS = 250;
/** A function that is called by an alias has two: its alias, and the version that stands for it when its work is done. */
const ENTRIES_MAX = 2 * LIMITS.bundleCacheItemsMax;
/** How often a look-up is made that the process slept through. */
const TRIES_MAX = 3;

/**
 * Makes the catalog of a process. Answers younger than half the allowed age come straight from memory; older
 * ones too, but they start a look-up beside it, one at a time; past the age a call waits for that look-up.
 * Only when the store fails, or says nothing, is something older served, for as long as it does (static stability).
 *
 * Unknown references are not remembered: what callers make up must not push out what is real.
 */
export function createCatalog(options: CatalogOptions): Catalog {
  const { store, clock, random, ttlMs = LIMITS.aliasCacheTtlMs, entriesMax = ENTRIES_MAX } = options;
  const refreshAfterMs = ttlMs / 2;
  const table = createTargetTable(entriesMax);

  const refresh = (
    key: FunctionKey,
    target: RefTarget | undefined,
    entry: Target,
  ): Promise<VersionRecord> => {
    if (entry.refreshing !== undefined) return entry.refreshing;
    const refreshing = awake(clock, () => lookUp(store, key, target, entry)).then(
      ({ found: { version, split }, begunMs }) => {
        entry.version = version;
        entry.split = split;
        entry.loadedAtMs = begunMs;
        entry.refreshing = undefined;
        entry.isDown = false;
        return pick(entry, version, random);
      },
      (error: unknown) => {
        entry.refreshing = undefined;
        if (isAnswer(error) || entry.version === undefined) {
          table.remove(entry);
          throw error;
        }
        entry.isDown = true;
        entry.downUntilMs = clock() + DOWN_RETRY_MS;
        return pick(entry, entry.version, random);
      },
    );
    entry.refreshing = refreshing;
    return refreshing;
  };

  /** Waits for a look-up only so long: then what is cached is served, and the look-up goes on beside it. */
  async function patiently(
    entry: Target,
    version: VersionRecord,
    refreshing: Promise<VersionRecord>,
  ): Promise<VersionRecord> {
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    const timer = startOwnTimer(entry.isDown ? DOWN_PATIENCE_MS : PATIENCE_MS, () => resolve(undefined));
    try {
      const found = await Promise.race([refreshing, late]);
      if (found !== undefined) return found;
      entry.isDown = true;
      entry.downUntilMs = clock() + DOWN_RETRY_MS;
      return pick(entry, version, random);
    } finally {
      timer.stop();
    }
  }

  return {
    resolve(key, target) {
      const entry = table.find(key, target);
      const { version } = entry;
      if (version === undefined) return refresh(key, target, entry);
      const nowMs = clock();
      const ageMs = nowMs - entry.loadedAtMs;
      // A negative age is a clock that was set back: such an entry may be of any age.
      const isFresh = ageMs >= 0 && ageMs < refreshAfterMs;
      if (isFresh || nowMs < entry.downUntilMs) return pick(entry, version, random);
      if (ageMs >= ttlMs || ageMs < 0) return patiently(entry, version, refresh(key, target, entry));
      if (entry.refreshing === undefined) {
        // The next caller past the age hears of a failure; this one has its answer.
        refresh(key, target, entry).catch(() => {});
      }
      return pick(entry, version, random);
    },
    invalidate: (key) => table.forget(key),
  };
}

/**
 * Looks up while this process is at work: what was asked before it stood still may be answered with what was true then, or
 * have failed for want of anybody who read the answer. It says nothing of the store, and is asked again.
 * @returns what was found, and when that was asked: what is found may be that old
 */
async function awake(
  clock: () => number,
  look: () => Promise<Found>,
): Promise<{ found: Found; begunMs: number }> {
  for (let tries = 1; ; tries++) {
    const begunMs = clock();
    const timer = startOwnTimer(PATIENCE_MS, () => {});
    try {
      const found = await look();
      if (!timer.stoodStill || tries === TRIES_MAX) return { found, begunMs };
    } catch (error) {
      if (!timer.stoodStill || tries === TRIES_MAX) throw error;
    } finally {
      timer.stop();
    }
  }
}

/** Where a weighted alias sends its calls: the shares one after the other, what is left goes to the alias's version. */
interface Split {
  readonly upTo: number;
  readonly version: VersionRecord;
}

function pick(entry: Target, version: VersionRecord, random: () => number): VersionRecord {
  const { split } = entry;
  if (split === undefined) return version;
  const point = random();
  for (const { upTo, version: other } of split) if (point < upTo) return other;
  return version;
}

interface Found {
  version: VersionRecord;
  split: readonly Split[] | undefined;
}

async function lookUp(
  store: CatalogOptions["store"],
  key: FunctionKey,
  target: RefTarget | undefined,
  entry: Target,
): Promise<Found> {
  // One after the other would cost a round trip each where the store is remote.
  const [record, found] = await Promise.all([
    store.functions.get(key),
    lookUpTarget(store, key, target, entry),
  ]);
  if (record === undefined || record.deleted_at_ms !== null) {
    throw new PlatformError("CS_NOT_FOUND", `there is no function ${key.namespace}/${key.name}`);
  }
  if (found === undefined) throw notFound(key, target);
  return found;
}

async function lookUpTarget(
  store: CatalogOptions["store"],
  key: FunctionKey,
  target: RefTarget | undefined,
  entry: Target,
): Promise<Found | undefined> {
  if (target === undefined || ("alias" in target && target.alias === LATEST_ALIAS)) {
    const version = await store.versions.latest(key);
    return version && { version: known(entry, version), split: undefined };
  }
  if ("version" in target) {
    // Versions never change: what is cached is right as long as the function is there.
    const version = entry.version ?? (await store.versions.get(key, target.version));
    return version && { version, split: undefined };
  }
  const alias = await store.aliases.get(key, target.alias);
  if (alias === undefined) return undefined;
  const numbers = [alias.version, ...Object.keys(alias.weights ?? {}).map(Number)];
  const versions = await Promise.all(
    numbers.map((number) => cached(entry, number) ?? store.versions.get(key, number)),
  );
  const [version, ...others] = versions;
  if (version === undefined) return undefined;
  const shares = Object.values(alias.weights ?? {});
  let upTo = 0;
  const split = others.flatMap((other, index) => {
    upTo += shares[index] ?? 0;
    return other === undefined ? [] : [{ upTo, version: other }];
  });
  return { version, split: split.length === 0 ? undefined : split };
}

/** Keeps the object of an unchanged version the same, so that others may use it as a key. */
const known = (entry: Target, version: VersionRecord): VersionRecord =>
  cached(entry, version.version) ?? version;

function cached(entry: Target, number: number): VersionRecord | undefined {
  if (entry.version?.version === number) return entry.version;
  return entry.split?.find(({ version }) => version.version === number)?.version;
}

/** Whether the store answered, with a no; anything else means it could not. */
const isAnswer = (error: unknown): boolean => error instanceof PlatformError && error.status < 500;

function notFound(key: FunctionKey, target: RefTarget | undefined): PlatformError {
  const name = `${key.namespace}/${key.name}`;
  if (target === undefined || ("alias" in target && target.alias === LATEST_ALIAS)) {
    return new PlatformError("CS_NOT_FOUND", `function ${name} has no version yet; publish one`);
  }
  const what = "alias" in target ? `alias ${target.alias}` : `version ${target.version}`;
  return new PlatformError("CS_NOT_FOUND", `function ${name} has no ${what}`);
}

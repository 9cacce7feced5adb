import { LIMITS } from "@sous/contract";
import {
  type BundleStore,
  copyBundles,
  type CopyBundlesReport,
  type KindReport,
  migrateStore,
  openStoreEnd,
  type Progress,
  type StoreEnd,
} from "@sous/store";
import { environment } from "../config/environment.ts";
import { loadConfig } from "../config/load-config.ts";
import { lockStore } from "./lock-store.ts";
import { MOMENTARY_KINDS, refuseAtWork } from "./members-at-work.ts";
import { openBundleStore } from "./open-bundles.ts";
import { readIfThere } from "./read-if-there.ts";

/** How far a long piece of work is. */
export type DataProgress = Progress | { step: "bundles"; rows: number };

export interface MigrateDataOptions {
  /** URL of the store to read. */
  from: string;
  /** URL of the store to write. */
  to: string;
  /** `file:` or `s3://` besides the source's store: for what is damaged there, and to be brought to `bundlesTo`. */
  bundlesFrom?: string | undefined;
  /** `file:` or `s3://` that gets every published bundle. */
  bundlesTo?: string | undefined;
  /** Of activations only those from this moment on, epoch milliseconds. */
  sinceMs?: number | undefined;
  withoutActivations?: boolean | undefined;
  merge?: boolean | undefined;
  dryRun?: boolean | undefined;
  /** Path of `cs.yaml`, for the credentials of S3. */
  config?: string | undefined;
  onProgress?: ((progress: DataProgress) => void) | undefined;
}

/** What was brought where. */
export interface DataReport {
  from: string;
  to: string;
  dry_run: boolean;
  kinds: KindReport[];
  kept: string[];
  damaged_bundles: string[];
  warnings: string[];
  bundles?: CopyBundlesReport;
}

/**
 * Brings all data of one store into another, and bundles from one place to another: `cs migrate`.
 * @throws CS_CONFLICT where a platform works on one of them or the target holds something else, CS_NOT_FOUND, CS_VALIDATION_FAILED,
 *   CS_STORE_UNAVAILABLE, CS_BUNDLES_UNAVAILABLE, and CS_STORE_WRITE_FAILED where the target does not hold what was brought
 */
export async function migrateData(options: MigrateDataOptions): Promise<DataReport> {
  using _source = lockStore(options.from, "source");
  await using from = await openStoreEnd({ url: options.from, as: "source", now: Date.now });
  await refuseAtWork(from, Date.now());
  return await bringTo(from, options);
}

/** As `migrateData`, from an end that is open. */
export async function bringTo(
  from: StoreEnd,
  options: Omit<MigrateDataOptions, "from"> & { momentaryKinds?: readonly string[] },
): Promise<DataReport> {
  const { to: url, bundlesFrom, bundlesTo, dryRun, momentaryKinds, onProgress, ...rest } = options;
  await using elsewhere = await openPlace(bundlesFrom, options.config);
  await using place = await openPlace(bundlesTo, options.config);
  using _target = lockStore(url, "target");
  await using to = await openStoreEnd({ url, as: "target", now: Date.now });
  await refuseAtWork(to, Date.now());
  const findBundle = elsewhere && ((sha256: string) => elsewhere.get(sha256));
  const report: DataReport = await migrateStore({
    ...rest,
    from,
    to,
    dryRun,
    momentaryKinds: momentaryKinds ?? MOMENTARY_KINDS,
    findBundle,
    onProgress,
  });
  if (place !== undefined) {
    report.bundles = await copyBundles({
      from: everyBundle(from, elsewhere),
      to: place,
      dryRun,
      onProgress: (rows) => onProgress?.({ step: "bundles", rows }),
    });
  }
  return report;
}

async function openPlace(
  url: string | undefined,
  config: string | undefined,
): Promise<BundleStore | undefined> {
  if (url === undefined) return undefined;
  const flags = { bundles: url, ...(config === undefined ? {} : { config }) };
  const loaded = loadConfig({ mode: "serve", flags, env: environment(), readFile: readIfThere });
  return await openBundleStore(loaded.config, LIMITS.bundleBytesMax);
}

/** What is published in the store, each from there or from elsewhere, then what only lies elsewhere. */
async function* everyBundle(
  from: StoreEnd,
  elsewhere: BundleStore | undefined,
): AsyncIterable<{ sha256: string; get: () => Promise<Uint8Array | undefined> }> {
  for await (const rows of from.read("bundles")) {
    for (const row of rows) {
      const sha256 = String(row["sha256"]);
      if (row["published"] !== 1) continue;
      yield { sha256, get: async () => (await elsewhere?.get(sha256)) ?? (row["bytes"] as Uint8Array) };
    }
  }
  if (elsewhere === undefined) return;
  for await (const sha256 of elsewhere.list()) yield { sha256, get: () => elsewhere.get(sha256) };
}

import { join } from "node:path";
import { type Limits, PlatformError } from "@sous/contract";
import {
  type BundleStore,
  createFileBundles,
  createS3Bundles,
  openDiskCache,
  type VersionStore,
} from "@sous/store";
import { type BundleTier, type BundleTiers, createBundleTiers } from "../bundle/bundle-tiers.ts";
import { createStoreTier } from "../bundle/store-tier.ts";
import type { Config } from "../config/config-schema.ts";

/** The settings that say where bundles lie. */
export type BundlePlace = Pick<Config, "bundles" | "s3">;

export interface OpenBundlesOptions {
  config: BundlePlace & Pick<Config, "data" | "store" | "bundle_cache">;
  limits: Limits;
  versions: Pick<VersionStore, "bundle" | "mendBundle">;
  now: () => number;
  /** Hears of faults nobody waits for. */
  onFault: (error: unknown) => void;
  /** Hears of what an operator should change. */
  onWarning: (text: string) => void;
}

export interface OpenedBundles extends AsyncDisposable {
  tiers: BundleTiers;
}

/** A place that is away at start must not hold the start up for long. */
const START_CHECK_MS = 3000;

/**
 * Opens the tiers of bundles: a cache on disk, where the store is not on this machine's disk anyway; the store; and the
 * durable place a URL names. What is away now is used when it is back: functions that are published run without it.
 * @throws CS_VALIDATION_FAILED for a URL that cannot be
 */
export async function openBundles(options: OpenBundlesOptions): Promise<OpenedBundles> {
  const { config, limits, versions, now, onFault, onWarning } = options;
  const bytesMax = limits.bundleBytesMax;
  const durable = await openBundleStore(config, bytesMax);
  if (durable !== undefined) await warnIfAway(durable, onWarning);
  const disk = await openDisk(options).catch((error: unknown) => {
    onWarning(`bundles are not cached on disk: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  });
  const tiers: BundleTier[] = [createStoreTier(versions)];
  if (disk !== undefined) tiers.unshift({ name: "disk", ...disk });
  const last: BundleTier | undefined = durable && {
    name: "durable",
    get: (sha256) => durable.get(sha256),
    put: (sha256, bytes) => durable.put(sha256, bytes),
    quarantine: (sha256) => durable.quarantine(sha256),
  };
  if (last !== undefined) tiers.push(last);
  return {
    tiers: createBundleTiers({ tiers, durable: last, bytesMax, onFault }),
    async [Symbol.asyncDispose]() {
      await durable?.[Symbol.asyncDispose]();
    },
  };

  async function openDisk({ config: { data, store, bundle_cache: cache } }: OpenBundlesOptions) {
    if (cache.disk_bytes === 0 || store.startsWith("sqlite:")) return undefined;
    const root = join(data, "bundle-cache");
    return await openDiskCache({ root, bytesMax: cache.disk_bytes, bundleBytesMax: bytesMax, now });
  }
}

/**
 * Opens the durable place of bundles a URL names.
 * @returns `undefined` for `store:`, where the store alone has them
 * @throws CS_VALIDATION_FAILED, CS_BUNDLES_UNAVAILABLE for a folder that cannot be made
 */
export async function openBundleStore(
  { bundles: url, s3 }: BundlePlace,
  bytesMax: number,
): Promise<BundleStore | undefined> {
  if (url === "store:") return undefined;
  if (url.startsWith("file:")) return await createFileBundles({ url, bytesMax });
  if (url.startsWith("s3:")) return await createS3Bundles({ url, bytesMax, credentials: credentialsOf(s3) });
  const scheme = url.split(":", 1)[0] ?? "";
  const message = `bundles: this release has no driver for ${scheme}:; use store:, file:PATH or s3://BUCKET/PREFIX`;
  throw new PlatformError("CS_VALIDATION_FAILED", message);
}

function credentialsOf({ access_key_id: accessKeyId, secret_access_key, session_token }: Config["s3"]) {
  if (accessKeyId === "" && secret_access_key === "") return undefined;
  if (accessKeyId === "" || secret_access_key === "") {
    const message = "s3.access_key_id and s3.secret_access_key are set together, or neither of them";
    throw new PlatformError("CS_VALIDATION_FAILED", message);
  }
  const sessionToken = session_token === "" ? {} : { sessionToken: session_token };
  return { accessKeyId, secretAccessKey: secret_access_key, ...sessionToken };
}

async function warnIfAway(bundles: BundleStore, onWarning: (text: string) => void): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer from ${bundles.place}`), START_CHECK_MS);
  });
  const check = bundles.check().then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  const problem = await Promise.race([check, late]);
  clearTimeout(timer);
  if (problem !== undefined) onWarning(`${problem}; publishing is refused until it is back`);
}

import { LIMITS, PlatformError } from "@sous/contract";
import { bundlesUnavailable } from "./bundle-failure.ts";
import { BundleFolder } from "./bundle-folder.ts";
import type { BundleStore } from "./bundle-store.ts";

export interface FileBundlesOptions {
  /** `file:PATH`, a folder that all processes of a platform see; made when missing. */
  url: string;
  /** Most bytes of a bundle (LIMITS.bundleBytesMax). */
  bytesMax?: number | undefined;
  /** The clock, epoch milliseconds (`Date.now`). */
  now?: (() => number) | undefined;
}

/**
 * Opens bundles in a folder: a disk of this machine, or one that several machines share.
 * @throws CS_VALIDATION_FAILED without a path, CS_BUNDLES_UNAVAILABLE where the folder cannot be made
 */
export async function createFileBundles(options: FileBundlesOptions): Promise<BundleStore> {
  const { bytesMax = LIMITS.bundleBytesMax, now = Date.now } = options;
  const root = pathOf(options.url);
  const place = `file:${root}`;
  const folder = new BundleFolder(root, bytesMax);
  const guard = async <T>(body: () => Promise<T>): Promise<T> => {
    try {
      return await body();
    } catch (cause) {
      throw bundlesUnavailable(place, cause);
    }
  };
  await guard(() => folder.open(now()));
  return {
    place,
    get: (sha256) => guard(() => folder.read(sha256)),
    put: (sha256, bytes) => guard(() => folder.write(sha256, bytes, true)),
    quarantine: (sha256) => guard(async () => void (await folder.setAside(sha256, now()))),
    async *list() {
      try {
        for await (const { sha256 } of folder.files()) yield sha256;
      } catch (cause) {
        throw bundlesUnavailable(place, cause);
      }
    },
    check: () => guard(() => folder.open(now())),
    async [Symbol.asyncDispose]() {},
  };
}

function pathOf(url: string): string {
  const path = url.slice("file:".length).replace(/^\/\/(?=\/)/, "");
  if (path !== "" && !path.startsWith("//")) return path.replace(/(?<=.)\/+$/, "");
  throw new PlatformError(
    "CS_VALIDATION_FAILED",
    "bundles: file: needs a folder, as file:/var/lib/sous/bundles",
  );
}

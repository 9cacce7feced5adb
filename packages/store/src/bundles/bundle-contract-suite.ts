import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import type { BundleStore } from "./bundle-store.ts";

/** What the suite gets for each test: a place of its own, and a second way to it as another process would have. */
export interface OpenedBundles {
  bundles: BundleStore;
  /** Another instance over the same place; the suite closes it. */
  again: () => Promise<BundleStore>;
  close: () => Promise<void>;
}

/** The most bytes of a bundle a place must be opened with for the suite: small, so that tests reach it. */
export const CONTRACT_BUNDLE_BYTES_MAX = 100_000;

const sha256Of = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const sample = (size: number): { bytes: Uint8Array; sha256: string } => {
  const bytes = new Uint8Array(randomBytes(size));
  return { bytes, sha256: sha256Of(bytes) };
};

async function listed(bundles: BundleStore): Promise<string[]> {
  const found: string[] = [];
  for await (const sha256 of bundles.list()) found.push(sha256);
  return found.toSorted();
}

/** The contract of the BundleStore port as tests. Every driver runs it. */
export function describeBundleContract(name: string, open: () => Promise<OpenedBundles>): void {
  const bundleTest = (title: string, body: (opened: OpenedBundles) => Promise<void>): void => {
    test(title, async () => {
      const opened = await open();
      try {
        await body(opened);
      } finally {
        await opened.close();
      }
    });
  };
  describe(`${name} bundles`, () => {
    bundleTest("what was put is there byte for byte, for another process too", async ({ bundles, again }) => {
      const { bytes, sha256 } = sample(70_000);
      await bundles.put(sha256, bytes);
      assert.deepEqual(await bundles.get(sha256), bytes);
      await using other = await again();
      assert.deepEqual(await other.get(sha256), bytes);
    });

    bundleTest("an empty bundle is one", async ({ bundles }) => {
      await bundles.put(sha256Of(new Uint8Array()), new Uint8Array());
      assert.deepEqual(await bundles.get(sha256Of(new Uint8Array())), new Uint8Array());
    });

    bundleTest("what is not there is undefined", async ({ bundles }) => {
      assert.equal(await bundles.get(sample(1).sha256), undefined);
    });

    bundleTest("putting again changes nothing, and mends what was damaged", async ({ bundles }) => {
      const { bytes, sha256 } = sample(1000);
      await bundles.put(sha256, bytes.with(0, (bytes[0] ?? 0) ^ 1)).catch(() => {});
      await bundles.put(sha256, bytes);
      await bundles.put(sha256, bytes);
      assert.deepEqual(await bundles.get(sha256), bytes);
      assert.deepEqual(await listed(bundles), [sha256]);
    });

    bundleTest("many processes may put one bundle at once", async ({ bundles, again }) => {
      const { bytes, sha256 } = sample(50_000);
      await using other = await again();
      await Promise.all(
        Array.from({ length: 8 }, (_, at) => (at % 2 === 0 ? bundles : other).put(sha256, bytes)),
      );
      assert.deepEqual(await other.get(sha256), bytes);
    });

    bundleTest("what is set aside is not found, not listed, and can be put again", async ({ bundles }) => {
      const { bytes, sha256 } = sample(500);
      await bundles.put(sha256, bytes);
      await bundles.quarantine(sha256);
      assert.equal(await bundles.get(sha256), undefined);
      assert.deepEqual(await listed(bundles), []);
      await bundles.put(sha256, bytes);
      assert.deepEqual(await bundles.get(sha256), bytes);
    });

    bundleTest("setting aside what is not there does nothing", async ({ bundles }) => {
      await bundles.quarantine(sample(1).sha256);
      assert.deepEqual(await listed(bundles), []);
    });

    bundleTest("a list has every bundle once", async ({ bundles }) => {
      const samples = Array.from({ length: 30 }, (_, at) => sample(at + 1));
      for (const { bytes, sha256 } of samples) await bundles.put(sha256, bytes);
      assert.deepEqual(await listed(bundles), samples.map(({ sha256 }) => sha256).toSorted());
    });

    bundleTest("of more than a bundle may have only so much is read as shows it", async ({ bundles }) => {
      const { bytes, sha256 } = sample(CONTRACT_BUNDLE_BYTES_MAX + 5000);
      await bundles.put(sha256, bytes);
      const read = await bundles.get(sha256);
      assert.equal(read?.byteLength, CONTRACT_BUNDLE_BYTES_MAX + 1);
    });

    bundleTest("only a hash is a name: no path, no capital letters", async ({ bundles }) => {
      for (const name of ["../../etc/passwd", "", "A".repeat(64), `${"a".repeat(63)}/`]) {
        await assert.rejects(bundles.get(name));
        await assert.rejects(bundles.put(name, new Uint8Array(1)));
        await assert.rejects(bundles.quarantine(name));
      }
    });

    bundleTest("a place that is there says so", async ({ bundles }) => {
      await bundles.check();
    });
  });
}

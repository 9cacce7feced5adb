import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { loadGuestBundle } from "./guest-bundle.ts";

async function inDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "guest-bundle-"));
  try {
    await run(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

test("a bundle is built once and then read", async () => {
  await inDirectory(async (cacheDirectory) => {
    const built = await loadGuestBundle({ cacheDirectory });
    const names = await readdir(cacheDirectory);
    assert.equal(names.length, 1);
    assert.match(names[0] ?? "", /^guest-[0-9a-f]{32}\.json$/);
    assert.ok(built.core.endsWith("\n0;\n//# sourceURL=sous:guest/core.js\n"), built.core.slice(-80));
    assert.deepEqual(await loadGuestBundle({ cacheDirectory }), built);
    assert.deepEqual(await readdir(cacheDirectory), names);
  });
});

test("a damaged cache is built again", async () => {
  await inDirectory(async (cacheDirectory) => {
    const built = await loadGuestBundle({ cacheDirectory });
    const file = join(cacheDirectory, (await readdir(cacheDirectory))[0] ?? "");
    const changed = { ...built, core: `${built.core};evil()` };
    for (const damage of ["", "{", '{"core":"x"}', JSON.stringify(changed)]) {
      await writeFile(file, damage);
      assert.deepEqual(await loadGuestBundle({ cacheDirectory }), built, damage.slice(0, 20));
      assert.equal((JSON.parse(await readFile(file, "utf8")) as { sha256: string }).sha256, built.sha256);
    }
  });
});

test("a place that cannot be written costs the build only", async () => {
  await inDirectory(async (directory) => {
    const file = join(directory, "a-file");
    await writeFile(file, "");
    const bundle = await loadGuestBundle({ cacheDirectory: join(file, "below") });
    assert.match(bundle.sha256, /^[0-9a-f]{64}$/);
  });
});

test("bundles built at the same time are the same", async () => {
  await inDirectory(async (cacheDirectory) => {
    const built = await Promise.all([1, 2, 3].map(() => loadGuestBundle({ cacheDirectory })));
    assert.equal(new Set(built.map((bundle) => bundle.sha256)).size, 1);
    assert.equal((await readdir(cacheDirectory)).length, 1);
  });
});

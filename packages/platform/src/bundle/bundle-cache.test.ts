import assert from "node:assert/strict";
import test from "node:test";
import { PlatformError } from "@sous/contract";
import { type Bundle, buildBundle } from "./build-bundle.ts";
import { type BundleCacheOptions, createBundleCache } from "./bundle-cache.ts";
import { sampleFiles, withCode } from "./bundle-samples.fixture.ts";
import { createTypeStripper } from "./type-stripper.ts";

const bundleOf = (text: string) => buildBundle(sampleFiles({ "text.js": text }));

/** A cache over bundles that are all published, with a clock that stands still. */
function published(bundles: Bundle[], options: Partial<BundleCacheOptions> = {}) {
  const tars = new Map(bundles.map(({ sha256, tar }) => [sha256, tar]));
  const loads: string[] = [];
  const time = { nowMs: 1_000_000 };
  const cache = createBundleCache({
    load: async (sha256) => {
      loads.push(sha256);
      return tars.get(sha256);
    },
    stripper: createTypeStripper(),
    clock: () => time.nowMs,
    ...options,
  });
  return { cache, tars, loads, time };
}

test("the first call fetches, later ones answer at once with the same program", async () => {
  const bundle = bundleOf("a");
  const { cache, loads } = published([bundle]);
  const first = await cache.get(bundle);
  assert.ok(first.ok);
  assert.equal(first.files.get("text.js"), "a");
  assert.equal(cache.get(bundle), first);
  assert.equal(loads.length, 1);
  const { items, hits, misses } = cache.stats();
  assert.deepEqual({ items, hits, misses }, { items: 1, hits: 1, misses: 1 });
});

test("callers that come together share one fetch", async () => {
  const bundle = bundleOf("a");
  const { cache, loads } = published([bundle]);
  const programs = await Promise.all(Array.from({ length: 20 }, async () => cache.get(bundle)));
  assert.equal(new Set(programs).size, 1);
  assert.equal(loads.length, 1);
});

test("over its items the cache forgets what was used least recently", async () => {
  const [a, b, c] = [bundleOf("a"), bundleOf("b"), bundleOf("c")];
  const { cache, loads } = published([a, b, c], { itemsMax: 2 });
  for (const bundle of [a, b, a, c, a, b]) await cache.get(bundle);
  assert.deepEqual(
    loads,
    [a, b, c, b].map(({ sha256 }) => sha256),
  );
  assert.equal(cache.stats().items, 2);
});

test("a newcomer is kept, also where everything else was used", async () => {
  const [a, b, c, d] = [bundleOf("a"), bundleOf("b"), bundleOf("c"), bundleOf("d")];
  const { cache, loads } = published([a, b, c, d], { itemsMax: 3 });
  for (const bundle of [a, b, c, a, b, c, d, d]) await cache.get(bundle);
  assert.equal(loads.filter((sha256) => sha256 === d.sha256).length, 1);
  assert.equal(cache.stats().items, 3);
});

test("over its bytes the cache forgets, and a program that is larger than all of it runs and puts nobody out", async () => {
  const [small, large, other] = [bundleOf("a"), bundleOf("x".repeat(100_000)), bundleOf("x".repeat(40_000))];
  const { cache, loads } = published([small, large, other], { bytesMax: 82_000 });
  await cache.get(small);
  assert.ok((await cache.get(large)).ok);
  await cache.get(small);
  assert.deepEqual(loads, [small.sha256, large.sha256]);
  await cache.get(other);
  const { items, bytes } = cache.stats();
  assert.equal(items, 1);
  assert.ok(bytes > 80_000 && bytes <= 82_000, `${bytes} bytes`);
});

test("a corrupt bundle never runs and is tried again later", async () => {
  const bundle = bundleOf("a");
  const { cache, tars, loads, time } = published([bundle]);
  const corrupt = bundle.tar.slice();
  corrupt[600] = 0x41;
  tars.set(bundle.sha256, corrupt);
  for (let call = 0; call < 3; call += 1) {
    const program = await cache.get(bundle);
    assert.ok(!program.ok);
    assert.equal(program.error.type, "BundleError");
    assert.match(program.error.message, /hash/);
  }
  assert.equal(loads.length, 1);
  tars.set(bundle.sha256, bundle.tar);
  time.nowMs += 60_000;
  assert.ok((await cache.get(bundle)).ok);
});

test("a bundle that is gone is a BundleError", async () => {
  const program = await published([]).cache.get(bundleOf("a"));
  assert.ok(!program.ok && !program.settled);
  assert.match(program.error.message, /publish it again/);
});

test("code that cannot be stripped is remembered as broken", async () => {
  const bundle = buildBundle(sampleFiles({ "a.ts": "enum A {}" }));
  const { cache, loads, time } = published([bundle]);
  assert.ok(!(await cache.get(bundle)).ok);
  time.nowMs += 3_600_000;
  assert.ok(!(await cache.get(bundle)).ok);
  assert.equal(loads.length, 1);
});

test("a store that is down is the caller's to know, and the next call tries again", async () => {
  const bundle = bundleOf("a");
  const down = { now: true };
  const { cache } = published([bundle], {
    load: async () => {
      if (down.now) throw new Error("connection refused");
      return bundle.tar;
    },
  });
  await assert.rejects(async () => cache.get(bundle), withCode("CS_STORE_READ_FAILED"));
  down.now = false;
  assert.ok((await cache.get(bundle)).ok);
  const { cache: other } = published([bundle], {
    load: () => Promise.reject(new PlatformError("CS_STORE_UNAVAILABLE", "down")),
  });
  await assert.rejects(async () => other.get(bundle), withCode("CS_STORE_UNAVAILABLE"));
});

test("tells which bundles it holds, the lately used ones first, and none that cannot run", async () => {
  const [a, b, c] = [bundleOf("a"), bundleOf("b"), bundleOf("c")];
  const { cache } = published([a, b]);
  for (const bundle of [a, b, c, a]) await cache.get(bundle);
  assert.deepEqual(cache.held(9), [a.sha256, b.sha256]);
  assert.deepEqual(cache.held(1), [a.sha256]);
});

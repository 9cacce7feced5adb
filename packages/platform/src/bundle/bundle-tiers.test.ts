import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createFileBundles, createSqliteStore, openDiskCache } from "@sous/store";
import { type BundleTier, createBundleTiers } from "./bundle-tiers.ts";
import { createStoreTier } from "./store-tier.ts";

const BYTES_MAX = 10_000;
const GOOD = new Uint8Array(5000).fill(7);
const SHA256 = createHash("sha256").update(GOOD).digest("hex");
const DAMAGED = GOOD.with(0, 8);

/** Disk, store and a durable folder, as a platform has them. */
async function openTiers(context: TestContext) {
  const root = await mkdtemp(join(tmpdir(), "sous-tiers-"));
  const store = await createSqliteStore({ path: join(root, "sous.db") });
  context.after(async () => {
    await store[Symbol.asyncDispose]();
    await rm(root, { recursive: true });
  });
  const disk = { name: "disk", ...(await openDiskCache({ root: join(root, "disk"), bytesMax: 1e6 })) };
  const kept = createStoreTier(store.versions);
  const folder = await createFileBundles({ url: `file:${root}/durable`, bytesMax: BYTES_MAX });
  const durable: BundleTier = {
    name: "durable",
    get: (sha256) => folder.get(sha256),
    put: (sha256, bytes) => folder.put(sha256, bytes),
    quarantine: (sha256) => folder.quarantine(sha256),
  };
  const faults: unknown[] = [];
  const make = (tiers: readonly BundleTier[]) =>
    createBundleTiers({ tiers, durable, bytesMax: BYTES_MAX, onFault: (error) => faults.push(error) });
  const path = (tier: "disk" | "durable") => join(root, tier, SHA256.slice(0, 2), `${SHA256}.tar`);
  return { root, store, disk, kept, durable, make, faults, path, tiers: make([disk, kept, durable]) };
}

type Opened = Awaited<ReturnType<typeof openTiers>>;

const counted = ({ tiers }: Pick<Opened, "tiers">): string[] =>
  tiers.stats().flatMap(({ tier, outcome, count }) => (count === 0 ? [] : [`${tier} ${outcome} ${count}`]));

/** Filling a nearer tier is not waited for. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

test("what only the far tier has comes from there once, and then from near", async (context) => {
  const opened = await openTiers(context);
  const { tiers, durable, disk, store } = opened;
  await durable.put(SHA256, GOOD);
  assert.deepEqual(await tiers.load(SHA256), GOOD);
  await until(async () => (await disk.get(SHA256)) !== undefined);
  await until(async () => (await store.versions.bundle(SHA256)) !== undefined);
  assert.deepEqual(await tiers.load(SHA256), GOOD);
  assert.deepEqual(counted(opened), ["disk hit 1", "disk miss 1", "store miss 1", "durable hit 1"]);
});

test("a damaged copy is set aside, counted, never handed out, and mended from the next tier", async (context) => {
  const opened = await openTiers(context);
  const { tiers, durable, disk, store, faults, path, root } = opened;
  await durable.put(SHA256, GOOD);
  await store.versions.mendBundle(SHA256, DAMAGED);
  await disk.put(SHA256, DAMAGED);
  assert.deepEqual(await tiers.load(SHA256), GOOD);
  assert.deepEqual(counted(opened), ["disk corrupt 1", "store corrupt 1", "durable hit 1"]);
  assert.equal(faults.length, 2);
  assert.equal((await readdir(join(root, "disk", "quarantine"))).length, 1);
  await until(async () => Buffer.from((await store.versions.bundle(SHA256)) ?? []).equals(GOOD));
  await until(async () => (await readFile(path("disk")).catch(() => "")).length === GOOD.length);
  await rm(path("disk"));
  assert.deepEqual(await tiers.load(SHA256), GOOD);
  assert.ok(counted(opened).includes("store hit 1"), counted(opened).join());
});

test("where every copy is damaged there is none: nothing is handed out", async (context) => {
  const opened = await openTiers(context);
  const { tiers, durable, store, path } = opened;
  await durable.put(SHA256, GOOD);
  await writeFile(path("durable"), DAMAGED);
  await store.versions.mendBundle(SHA256, DAMAGED);
  assert.equal(await tiers.load(SHA256), undefined);
  assert.deepEqual(counted(opened), ["disk miss 1", "store corrupt 1", "durable corrupt 1"]);
  assert.equal(await tiers.load(SHA256), undefined);
});

test("a bundle larger than one may be counts as damaged", async (context) => {
  const { tiers, durable } = await openTiers(context);
  const large = new Uint8Array(BYTES_MAX + 1);
  const sha256 = createHash("sha256").update(large).digest("hex");
  await durable.put(sha256, large);
  assert.equal(await tiers.load(sha256), undefined);
});

test("however many ask at once, each tier is asked once", async (context) => {
  const opened = await openTiers(context);
  await opened.durable.put(SHA256, GOOD);
  const loaded = await Promise.all(Array.from({ length: 100 }, () => opened.tiers.load(SHA256)));
  assert.ok(loaded.every((bytes) => bytes === loaded[0]));
  assert.deepEqual(counted(opened), ["disk miss 1", "store miss 1", "durable hit 1"]);
});

test("a tier that fails is passed over; where nobody else has it, its failure is the answer, not an absence", async (context) => {
  const { disk, store, kept, make, root, durable } = await openTiers(context);
  await rm(join(root, "durable"), { recursive: true });
  await writeFile(join(root, "durable"), "no folder any more");
  const failing = make([disk, kept, durable]);
  await assert.rejects(failing.load(SHA256), { code: "CS_BUNDLES_UNAVAILABLE" });
  await assert.rejects(failing.publish(SHA256, GOOD), { code: "CS_BUNDLES_UNAVAILABLE" });
  await store.versions.mendBundle(SHA256, GOOD);
  assert.deepEqual(await failing.load(SHA256), GOOD);
  const nearIsBroken: BundleTier = { ...durable, name: "disk" };
  assert.deepEqual(await make([nearIsBroken, kept]).load(SHA256), GOOD);
});

test("what is published lies in the durable tier, and damaged bytes are not published", async (context) => {
  const { tiers, durable } = await openTiers(context);
  await tiers.publish(SHA256, GOOD);
  assert.deepEqual(await durable.get(SHA256), GOOD);
  await assert.rejects(tiers.publish(SHA256, DAMAGED), { code: "CS_STORE_READ_FAILED" });
});

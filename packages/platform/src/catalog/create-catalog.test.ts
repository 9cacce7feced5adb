import assert from "node:assert/strict";
import test from "node:test";
import { PlatformError, type VersionRecord } from "@sous/contract";
import { createSqliteStore, type Store } from "@sous/store";
import { createCatalog, type CatalogOptions } from "./create-catalog.ts";
import { publishSample } from "./testing/publish-sample.ts";

const KEY = { tenant: "t_default", namespace: "default", name: "hello" };
const BASE_MS = 1_800_000_000_000;

/** A real store whose reads are counted, and fail while it is told to be down. */
async function setUp(options: Partial<CatalogOptions> = {}) {
  const store = await createSqliteStore({ path: ":memory:" });
  const state = {
    nowMs: BASE_MS,
    point: 0,
    reads: 0,
    down: false,
    silent: false,
    /** What becomes of an answer on its way. */
    later: undefined as ((answer: unknown) => Promise<unknown>) | undefined,
  };
  const guarded = <T extends object>(part: T): T =>
    new Proxy(part, {
      get: (target, name) => {
        const method = Reflect.get(target, name) as (...parameters: unknown[]) => unknown;
        return (...parameters: unknown[]) => {
          state.reads++;
          if (state.silent) return new Promise(() => {});
          if (state.down) return Promise.reject(new PlatformError("CS_STORE_UNAVAILABLE", "down"));
          const answer = method.apply(target, parameters);
          const { later } = state;
          return later === undefined ? answer : Promise.resolve(answer).then(later);
        };
      },
    });
  const catalog = createCatalog({
    store: {
      functions: guarded(store.functions),
      versions: guarded(store.versions),
      aliases: guarded(store.aliases),
    },
    clock: () => state.nowMs,
    random: () => state.point,
    ...options,
  });
  return { store, state, catalog, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

const setAlias = (store: Store, alias: string, version: number, weights?: Record<string, number>) =>
  store.aliases.set(KEY, {
    alias,
    version,
    updated_at_ms: BASE_MS,
    ...(weights === undefined ? {} : { weights }),
  });
const isNotFound = (error: unknown) => (error as { code?: string }).code === "CS_NOT_FOUND";
const atOnce = (answer: VersionRecord | Promise<VersionRecord>): VersionRecord => {
  assert.ok(!(answer instanceof Promise), "the answer should come from memory");
  return answer;
};
/** Lets a look-up that was started beside an answer end. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

test("resolves latest, aliases and versions; a second time from memory, the same object", async () => {
  await using context = await setUp();
  const { store, catalog, state } = context;
  await publishSample(store, KEY, BASE_MS);
  await publishSample(store, KEY, BASE_MS);
  await setAlias(store, "prod", 1);
  const latest = await catalog.resolve(KEY, undefined);
  assert.equal(latest.version, 2);
  assert.equal((await catalog.resolve(KEY, { alias: "prod" })).version, 1);
  assert.equal((await catalog.resolve(KEY, { version: 1 })).version, 1);
  const before = state.reads;
  assert.equal(atOnce(catalog.resolve({ ...KEY }, undefined)), latest);
  assert.equal(atOnce(catalog.resolve(KEY, { alias: "latest" })), latest);
  assert.equal(atOnce(catalog.resolve(KEY, { alias: "prod" })).version, 1);
  assert.equal(atOnce(catalog.resolve(KEY, { version: 1 })).version, 1);
  assert.equal(state.reads, before);
});

test("what does not exist is not found, and not remembered", async () => {
  await using context = await setUp();
  const { store, catalog } = context;
  await assert.rejects(async () => catalog.resolve(KEY, undefined), isNotFound);
  await publishSample(store, KEY, BASE_MS);
  assert.equal((await catalog.resolve(KEY, undefined)).version, 1);
  await assert.rejects(async () => catalog.resolve(KEY, { alias: "prod" }), isNotFound);
  await assert.rejects(async () => catalog.resolve(KEY, { version: 9 }), isNotFound);
  await setAlias(store, "prod", 1);
  assert.equal((await catalog.resolve(KEY, { alias: "prod" })).version, 1);
});

test("a function without versions, and a deleted one, are not found", async () => {
  await using context = await setUp();
  const { store, catalog } = context;
  await publishSample(store, KEY, BASE_MS);
  await catalog.resolve(KEY, { version: 1 });
  await store.functions.softDelete(KEY, BASE_MS);
  catalog.invalidate(KEY);
  await assert.rejects(async () => catalog.resolve(KEY, { version: 1 }), isNotFound);
  await assert.rejects(async () => catalog.resolve(KEY, undefined), isNotFound);
});

test("a change elsewhere is seen within a second, a change here at once", async () => {
  await using context = await setUp();
  const { store, catalog, state } = context;
  await publishSample(store, KEY, BASE_MS);
  await publishSample(store, KEY, BASE_MS);
  await setAlias(store, "prod", 1);
  await catalog.resolve(KEY, { alias: "prod" });
  await setAlias(store, "prod", 2);
  assert.equal(atOnce(catalog.resolve(KEY, { alias: "prod" })).version, 1);
  state.nowMs += 1000;
  assert.equal((await catalog.resolve(KEY, { alias: "prod" })).version, 2);
  await setAlias(store, "prod", 1);
  catalog.invalidate(KEY);
  assert.equal((await catalog.resolve(KEY, { alias: "prod" })).version, 1);
});

test("a busy reference is refreshed beside its answers, so that no call waits", async () => {
  await using context = await setUp();
  const { store, catalog, state } = context;
  await publishSample(store, KEY, BASE_MS);
  await catalog.resolve(KEY, undefined);
  await publishSample(store, KEY, BASE_MS);
  state.nowMs += 600;
  const before = state.reads;
  for (let index = 0; index < 10; index++) assert.equal(atOnce(catalog.resolve(KEY, undefined)).version, 1);
  assert.equal(state.reads - before, 2, "one look-up for all ten: the function and its newest version");
  await settle();
  assert.equal(atOnce(catalog.resolve(KEY, undefined)).version, 2);
  state.nowMs += 499;
  assert.equal(atOnce(catalog.resolve(KEY, undefined)).version, 2);
});

test("calls that miss at once look up once", async () => {
  await using context = await setUp();
  const { store, catalog, state } = context;
  await publishSample(store, KEY, BASE_MS);
  const answers = await Promise.all(Array.from({ length: 20 }, () => catalog.resolve(KEY, undefined)));
  assert.equal(new Set(answers).size, 1);
  assert.equal(state.reads, 2);
});

test("while the store is down what is cached is served, however old; when it is back, the truth", async () => {
  await using context = await setUp();
  const { store, catalog, state } = context;
  await publishSample(store, KEY, BASE_MS);
  await catalog.resolve(KEY, undefined);
  await publishSample(store, KEY, BASE_MS);
  state.down = true;
  state.nowMs += 3_600_000;
  assert.equal((await catalog.resolve(KEY, undefined)).version, 1);
  const before = state.reads;
  assert.equal(atOnce(catalog.resolve(KEY, undefined)).version, 1);
  assert.equal(state.reads, before, "a store that is down is not asked by every call");
  await assert.rejects(async () => catalog.resolve(KEY, { alias: "prod" }), { code: "CS_STORE_UNAVAILABLE" });
  state.down = false;
  state.nowMs += 250;
  assert.equal((await catalog.resolve(KEY, undefined)).version, 2);
});

test("a store that says nothing holds a caller up once, for a second at most, and then nobody", async () => {
  await using context = await setUp();
  const { store, catalog, state } = context;
  await publishSample(store, KEY, BASE_MS);
  await catalog.resolve(KEY, undefined);
  state.silent = true;
  state.nowMs += 60_000;
  const begun = performance.now();
  assert.equal((await catalog.resolve(KEY, undefined)).version, 1);
  const first = performance.now() - begun;
  assert.ok(first < 2500, `${first} ms`);
  assert.equal(atOnce(catalog.resolve(KEY, undefined)).version, 1);
  state.nowMs += 60_000;
  const again = performance.now();
  assert.equal((await catalog.resolve(KEY, undefined)).version, 1);
  assert.ok(performance.now() - again < first, "it is known to be silent");
});

/** The process does nothing for a while, as one that is suspended. */
const standStill = (ms: number): void =>
  void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

for (const { name, late } of [
  {
    name: "has timed out",
    late: () => Promise.reject(new PlatformError("CS_STORE_UNAVAILABLE", "no answer")),
  },
  { name: "tells what was true before", late: (answer: unknown) => Promise.resolve(answer) },
]) {
  test(`a process that stood still looks again: what it asked before ${name}`, async () => {
    await using context = await setUp();
    const { store, state, catalog } = context;
    await publishSample(store, KEY, BASE_MS);
    await publishSample(store, KEY, BASE_MS);
    await setAlias(store, "prod", 1);
    assert.equal((await catalog.resolve(KEY, { alias: "prod" })).version, 1);
    // Its answer to the look-up that is begun now comes after the process stood still.
    state.nowMs += 600;
    state.later = (answer) => new Promise((resolve) => setTimeout(resolve, 1500)).then(() => late(answer));
    assert.equal(atOnce(catalog.resolve(KEY, { alias: "prod" })).version, 1);
    await settle();
    state.later = undefined;
    await setAlias(store, "prod", 2);
    standStill(2500);
    state.nowMs += 2500;
    assert.equal((await catalog.resolve(KEY, { alias: "prod" })).version, 2);
    assert.equal((await catalog.resolve(KEY, { alias: "prod" })).version, 2);
  });
}

test("a look-up that began before an invalidation is not remembered after it", async () => {
  await using context = await setUp();
  const { store, catalog } = context;
  await publishSample(store, KEY, BASE_MS);
  const early = catalog.resolve(KEY, undefined);
  catalog.invalidate(KEY);
  await publishSample(store, KEY, BASE_MS);
  await early;
  assert.equal((await catalog.resolve(KEY, undefined)).version, 2);
});

test("a clock that is set back does not make old answers young", async () => {
  await using context = await setUp();
  const { store, catalog, state } = context;
  await publishSample(store, KEY, BASE_MS);
  await catalog.resolve(KEY, undefined);
  await publishSample(store, KEY, BASE_MS);
  state.nowMs -= 3_600_000;
  assert.equal((await catalog.resolve(KEY, undefined)).version, 2);
});

test("a weighted alias sends each version its share", async () => {
  await using context = await setUp();
  const { store, catalog, state } = context;
  for (let index = 0; index < 3; index++) await publishSample(store, KEY, BASE_MS);
  await setAlias(store, "prod", 1, { 2: 0.25, 3: 0.5 });
  const at = async (point: number) => {
    state.point = point;
    return (await catalog.resolve(KEY, { alias: "prod" })).version;
  };
  assert.equal(await at(0), 2);
  assert.equal(await at(0.249), 2);
  assert.equal(await at(0.25), 3);
  assert.equal(await at(0.749), 3);
  assert.equal(await at(0.75), 1);
  assert.equal(await at(0.999), 1);
});

test("the table is bounded, and a reference in use outlives those used once", async () => {
  await using context = await setUp({ entriesMax: 4 });
  const { store, catalog, state } = context;
  for (let index = 0; index < 20; index++) {
    const key = { ...KEY, name: `other-${index}` };
    await publishSample(store, key, BASE_MS);
  }
  await publishSample(store, KEY, BASE_MS);
  await catalog.resolve(KEY, undefined);
  for (let index = 0; index < 20; index++) {
    await catalog.resolve({ ...KEY, name: `other-${index}` }, undefined);
    atOnce(catalog.resolve(KEY, undefined));
  }
  const before = state.reads;
  await catalog.resolve({ ...KEY, name: "other-0" }, undefined);
  assert.ok(state.reads > before, "the first of the others was put out");
});

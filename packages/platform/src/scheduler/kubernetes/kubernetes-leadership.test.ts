import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "@sous/contract";
import { createSqliteStore, type Store } from "@sous/store";
import { startProxy } from "@sous/store/testing";
import type { Leadership } from "../leadership.ts";
import { type KubernetesApi, startKubernetesApi } from "../testing/kubernetes-api.ts";
import { createKubernetesLeadership } from "./kubernetes-leadership.ts";
import { createLeaseClient } from "./lease-client.ts";

const NAMESPACE = "sous";
/** Whole seconds: that is what a Lease holds. */
const TIMES = { leaseMs: 2000, renewDeadlineMs: 1500, retryMs: 60 };

/** Where Leases are: the server of these tests, or a real one. */
interface Place extends AsyncDisposable {
  api: string;
  /** Of the test's own server only. */
  fake?: KubernetesApi;
}

interface Candidate extends AsyncDisposable {
  leadership: Leadership;
  holder: string;
  /** Epochs of its terms. */
  epochs: number[];
  faults: PlatformError[];
  leads(): boolean;
}

interface CandidateOptions {
  api: string;
  store: Store;
  lease: string;
  skewMs?: number;
}

function candidate({ api, store, lease, skewMs = 0 }: CandidateOptions): Candidate {
  const holder = `host/${randomUUID()}`;
  const [epochs, faults]: [number[], PlatformError[]] = [[], []];
  const client = createLeaseClient({
    api,
    namespace: NAMESPACE,
    name: lease,
    serviceAccount: "/nowhere",
    timeoutMs: 300,
  });
  const leadership = createKubernetesLeadership({
    ...TIMES,
    client,
    leases: store.leases,
    holder,
    clock: () => Date.now() + skewMs,
    monotonic: () => performance.now(),
    random: Math.random,
    setTimer: (run, ms) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    onFault: (error) => void faults.push(error as PlatformError),
  });
  leadership.onTerm(() => epochs.push(leadership.term()?.fence?.epoch ?? 0));
  return {
    leadership,
    holder,
    epochs,
    faults,
    leads: () => leadership.term() !== undefined,
    [Symbol.asyncDispose]: () => leadership[Symbol.asyncDispose](),
  };
}

/** Candidates that end with their test, however it ends. */
function several(count: number, options: CandidateOptions): Candidate[] & AsyncDisposable {
  const all = Array.from({ length: count }, () => candidate(options));
  return Object.assign(all, {
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map((one) => one[Symbol.asyncDispose]()));
    },
  });
}

async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  patienceMs = 8000,
): Promise<void> {
  const endMs = Date.now() + patienceMs;
  while (!(await condition())) {
    assert.ok(Date.now() < endMs, `waited for ${what}`);
    await sleep(5);
  }
}

const openStore = (): Promise<Store> => createSqliteStore({ path: ":memory:" });
const leaseName = (): string => `sous-test-${randomUUID()}`;

/** What holds of leadership on any API server. */
function describeLeadership(where: string, open: () => Promise<Place>): void {
  describe(`leadership by a Lease of ${where}`, () => {
    test("of several who want it at once one leads, and when it goes another follows at once with a higher epoch", async () => {
      await using place = await open();
      await using store = await openStore();
      const options = { api: place.api, store, lease: leaseName() };
      await using all = several(4, options);
      const seen = new Set<number>();
      for (let left = all.length; left > 0; left--) {
        await until(() => all.some((one) => one.leads()), "a leader");
        const leaders = all.filter((one) => one.leads());
        assert.equal(leaders.length, 1);
        const [leader] = leaders as [Candidate];
        const epoch = leader.epochs.at(-1) ?? 0;
        for (const before of seen) assert.ok(epoch > before, `${epoch} after ${before}`);
        seen.add(epoch);
        const known = await store.leases.read("kubernetes/scheduler");
        assert.deepEqual([known?.holder, known?.epoch], [leader.holder, epoch]);
        await leader[Symbol.asyncDispose]();
        assert.equal(leader.leads(), false);
        all.splice(all.indexOf(leader), 1);
      }
    });

    test("a leader keeps its term as long as it renews, whatever the clocks of others say", async () => {
      await using place = await open();
      await using store = await openStore();
      const options = { api: place.api, store, lease: leaseName() };
      await using first = candidate(options);
      await until(() => first.leads(), "a leader");
      const term = first.leadership.term();
      await using ahead = candidate({ ...options, skewMs: 3_600_000 });
      await using behind = candidate({ ...options, skewMs: -3_600_000 });
      const endMs = Date.now() + 2.5 * TIMES.leaseMs;
      while (Date.now() < endMs) {
        assert.deepEqual([ahead.leads(), behind.leads()], [false, false]);
        await sleep(20);
      }
      assert.equal(first.leadership.term(), term, "one term, not one after the other");
    });

    test("a leader that is cut off stops before another begins, and nothing it writes later applies", async () => {
      await using place = await open();
      await using store = await openStore();
      const { hostname, port, protocol } = new URL(place.api);
      if (protocol !== "http:" || hostname !== "127.0.0.1") return;
      await using proxy = await startProxy(Number(port));
      const lease = leaseName();
      await using cut = candidate({ api: `http://127.0.0.1:${proxy.port}`, store, lease });
      await until(() => cut.leads(), "a leader");
      await using other = candidate({ api: place.api, store, lease });
      const fence = cut.leadership.term()?.fence;
      assert.ok(fence !== undefined);
      const key = { tenant: "t_default", namespace: "default", name: "one" };
      await store.resources.create("test", key, "{}", 1);
      assert.equal(await store.resources.replace("test", key, 1, "{}", fence), true);
      proxy.hold(true);
      proxy.refuse(true);
      await until(() => {
        assert.ok(!(cut.leads() && other.leads()), "two lead at a time");
        return other.leads();
      }, "the other to lead");
      assert.ok(
        cut.faults.length > 0 && cut.faults.every(({ code }) => code === "CS_SCHEDULER_LEADER_UNAVAILABLE"),
      );
      assert.equal(await store.resources.replace("test", key, 2, "{}", fence), false);
      assert.equal(await store.resources.replace("test", key, 2, "{}", other.leadership.term()?.fence), true);
      proxy.refuse(false);
      proxy.cut();
      await sleep(3 * TIMES.retryMs);
      assert.deepEqual([cut.leads(), other.leads()], [false, true]);
    });
  });
}

describeLeadership("the API's rules", async () => {
  const fake = await startKubernetesApi();
  return { api: fake.url, fake, [Symbol.asyncDispose]: () => fake[Symbol.asyncDispose]() };
});

// Opt-in: an API server that somebody runs for it, as `kubectl proxy` shows one. Its namespace is `sous`.
const real = process.env["SOUS_TEST_KUBERNETES"];
if (real !== undefined) {
  describeLeadership("the API server of SOUS_TEST_KUBERNETES", async () => ({
    api: real,
    [Symbol.asyncDispose]: async () => {},
  }));
}

describe("leadership by a Lease", () => {
  const path = `${NAMESPACE}/leader`;

  test("is shown in the Lease as client-go shows it, and what others wrote into it stays", async () => {
    await using api = await startKubernetesApi();
    await using store = await openStore();
    api.put(path, { leaseTransitions: 4, strategy: "OldestEmulationVersion" }, { app: "sous" });
    await using one = candidate({ api: api.url, store, lease: "leader" });
    await until(() => one.leads(), "a leader");
    const kept = api.lease(path);
    assert.deepEqual(kept?.metadata.labels, { app: "sous" });
    const { acquireTime, renewTime, ...spec } = kept.spec;
    assert.match(`${String(acquireTime)} ${String(renewTime)}`, /^(\S+\.\d{6}Z ?){2}$/);
    assert.deepEqual(spec, {
      holderIdentity: one.holder,
      leaseDurationSeconds: TIMES.leaseMs / 1000,
      leaseTransitions: 5,
      strategy: "OldestEmulationVersion",
    });
    await until(() => api.lease(path)?.spec["renewTime"] !== renewTime, "a renewal");
    assert.equal(api.lease(path)?.spec["acquireTime"], acquireTime);
    await one[Symbol.asyncDispose]();
    const released = api.lease(path)?.spec;
    assert.deepEqual([released?.["holderIdentity"], released?.["leaseDurationSeconds"]], [undefined, 1]);
  });

  test("of updates of one version of it the API takes one, and the others wait", async () => {
    await using api = await startKubernetesApi();
    await using store = await openStore();
    for (let round = 0; api.conflicts === 0; round++) {
      assert.ok(round < 50, "they have to meet some time");
      await using all = several(6, { api: api.url, store, lease: `leader-${round}` });
      await until(() => all.some((one) => one.leads()), "a leader");
      await sleep(2 * TIMES.retryMs);
      assert.equal(all.filter((one) => one.leads()).length, 1);
      for (const one of all) assert.deepEqual(one.faults, [], "a conflict is no fault");
    }
  });

  test("a foreign holder is left alone for as long as its own Lease says", async () => {
    await using api = await startKubernetesApi();
    await using store = await openStore();
    api.put(path, {
      holderIdentity: "other",
      leaseDurationSeconds: 2,
      leaseTransitions: 1,
      renewTime: "2001-01-01T00:00:00.000000Z",
    });
    const begunMs = Date.now();
    await using one = candidate({ api: api.url, store, lease: "leader" });
    await until(() => one.leads(), "a leader");
    assert.ok(Date.now() - begunMs >= 2000, "an old renewTime alone is no reason");
    assert.deepEqual(one.epochs, [2]);
  });

  test("a Lease that was deleted, or put back, does not bring back epochs of before", async () => {
    await using api = await startKubernetesApi();
    await using store = await openStore();
    api.put(path, { leaseTransitions: 41 });
    await using one = candidate({ api: api.url, store, lease: "leader" });
    await until(() => one.leads(), "a leader");
    api.remove(path);
    await until(() => one.epochs.length === 2, "a new term");
    api.put(path, { leaseTransitions: 3 });
    await until(() => one.epochs.length === 3, "another term");
    assert.deepEqual(one.epochs, [42, 43, 44]);
  });

  test("somebody who takes the Lease by force ends the term at the next renewal", async () => {
    await using api = await startKubernetesApi();
    await using store = await openStore();
    await using one = candidate({ api: api.url, store, lease: "leader" });
    await until(() => one.leads(), "a leader");
    api.put(path, { holderIdentity: "admin", leaseDurationSeconds: 60, leaseTransitions: 2 });
    await until(() => !one.leads(), "its end", TIMES.renewDeadlineMs);
    assert.equal(one.epochs.length, 1);
  });

  test("while the API server fails, a leader goes on for a while and a candidate waits; both go on by themselves", async () => {
    await using api = await startKubernetesApi();
    await using store = await openStore();
    await using one = candidate({ api: api.url, store, lease: "leader" });
    await until(() => one.leads(), "a leader");
    api.failWith(500);
    await sleep(2 * TIMES.retryMs);
    assert.equal(one.leads(), true, "one answer is not the end");
    await until(() => !one.leads(), "its end");
    api.failWith(undefined);
    await until(() => one.leads(), "it to lead again");
    api.failWith(403);
    await until(
      () => one.faults.some(({ message }) => /403.*get, create and update/.test(message)),
      "what to do",
    );
    api.failWith(undefined);
  });

  test("while the store is away nobody begins a term, and it begins when the store is back", async () => {
    await using api = await startKubernetesApi();
    await using store = await openStore();
    let isAway = true;
    const guarded = new Proxy(store.leases, {
      get: (target, method: "read" | "raise" | "release") =>
        (async (...values: [never, never, never]) => {
          if (isAway) throw new PlatformError("CS_STORE_UNAVAILABLE", "away");
          return await target[method](...values);
        }) as unknown,
    });
    await using one = candidate({ api: api.url, store: { ...store, leases: guarded }, lease: "leader" });
    await until(() => one.faults.length > 2, "faults");
    assert.equal(one.leads(), false);
    isAway = false;
    await until(() => one.leads(), "a leader");
  });
});

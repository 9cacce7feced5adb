import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { openReader } from "./open-reader.ts";
import { runWorld } from "./run-world.ts";
import { type Check, numbered, type Numbered, sortedNumbers } from "./source-world.ts";

const OUTAGE_MS = 6000;
const CALM_MS = 3000;
const ATTEMPTS_MAX = 3;

/** What an adapter and the framework have to hold together. */
export function declareRunning(check: Check, ordered: boolean): void {
  check("what fails comes again until it went well, and then no more", async (world, store) => {
    const failures = new Map<number, number>();
    const seen: Numbered[] = [];
    await world.put(numbered(8));
    await using run = runWorld({
      world,
      resources: store.resources,
      work(message) {
        seen.push(message);
        const before = failures.get(message.n) ?? 0;
        if (![1, 4].includes(message.n) || before === 2) return;
        failures.set(message.n, before + 1);
        throw new Error("it fails twice");
      },
    });
    await run.until(() => run.succeeded.length >= 8, "all of them");
    await pause(500);
    await run.stop();
    assert.deepEqual(sortedNumbers(run.succeeded), sortedNumbers(numbered(8)));
    assert.equal(seen.length, 8 + 4);
    if (!ordered) return;
    for (const { key } of numbered(2)) {
      const ofKey = run.succeeded.filter((message) => message.key === key);
      assert.deepEqual(
        ofKey.map(({ n }) => n),
        sortedNumbers(ofKey),
        `the order of ${key}`,
      );
    }
  });

  check(
    "what was read and given back without having been run has all of its attempts",
    async (world, store) => {
      await world.put(numbered(2));
      for (let restarts = 0; restarts < ATTEMPTS_MAX; restarts++) {
        await using reader = await openReader(world, store);
        const taken = await reader.take(2, 10);
        for (const { message, partition } of taken) await partition.giveBack?.([message], 0);
      }
      const calls: number[] = [];
      await using run = runWorld({
        world,
        resources: store.resources,
        over: { retry: { max_attempts: ATTEMPTS_MAX, backoff_ms: 10, backoff_max_ms: 50 } },
        work({ n }) {
          calls.push(n);
          if (calls.filter((each) => each === n).length < ATTEMPTS_MAX)
            throw new Error("only the last goes well");
        },
      });
      await run.until(() => run.succeeded.length === 2, "the last attempt of both");
      assert.equal(calls.length, 2 * ATTEMPTS_MAX);
    },
  );

  check("a restart in the middle goes on where it was", async (world, store) => {
    await world.put(numbered(12));
    await using first = runWorld({ world, resources: store.resources, work: () => pause(20) });
    await first.until(() => first.succeeded.length >= 4, "a part of them");
    await first.stop();
    const before = first.succeeded.length;
    await using second = runWorld({ world, resources: store.resources });
    await second.until(() => before + second.succeeded.length >= 12, "the rest of them");
    await pause(500);
    await second.stop();
    assert.deepEqual(sortedNumbers([...first.succeeded, ...second.succeeded]), sortedNumbers(numbered(12)));
  });
}

/** Of a source that hides what it gave. */
export function declareHiding(check: Check, hidesMs: number): void {
  check("what runs for long stays hidden from others", async (world, store) => {
    await world.put(numbered(2));
    let calls = 0;
    await using run = runWorld({
      world,
      resources: store.resources,
      over: { parallelism: 2 },
      async work() {
        calls++;
        await pause(hidesMs * 3);
      },
    });
    await run.until(() => calls === 2, "both run");
    await using other = await openReader(world, store);
    const abort = AbortSignal.timeout(hidesMs * 2);
    while (!abort.aborted) {
      for (const partition of other.partitions) {
        assert.deepEqual(await partition.receive(10, abort), [], "nobody else is given it");
      }
    }
    await run.until(() => run.succeeded.length === 2, "both end");
    await run.stop();
    assert.equal(calls, 2);
  });
}

/** Of a source on a server of its own. */
export function declareOutage(check: Check): void {
  check(
    "an outage of the source is waited for, later each time, and its end is no storm",
    async (world, store) => {
      let draws = 0;
      const random = (): number => {
        draws++;
        return 0.999;
      };
      await using run = runWorld({ world, resources: store.resources, random });
      await world.put(numbered(2));
      await run.until(() => run.succeeded.length === 2, "what was there before");
      await pause(CALM_MS / 3);
      const faultsBefore = run.faults.length;
      world.reachable?.(false);
      await run.until(() => run.faults.length > faultsBefore, "the first failure");
      await world.put(numbered(6, 2));
      await pause(OUTAGE_MS);
      const failures = run.faults.length - faultsBefore;
      // 0.5 s, 1 s, 2 s, 4 s: of reading, and of looking for partitions.
      assert.ok(failures >= 2 && failures <= 12, `it was tried ${failures} times: ${run.faults.join("; ")}`);
      assert.ok(draws >= 2, "pauses are drawn");
      world.reachable?.(true);
      await run.until(() => run.succeeded.length >= 8, "what was put meanwhile");
      const readsThen = run.reads;
      await pause(CALM_MS);
      const reads = run.reads - readsThen;
      assert.ok(reads <= 25, `after its return it was asked ${reads} times in ${CALM_MS} ms`);
      assert.equal(run.readsAtOnceMax, 1);
      await run.stop();
      assert.deepEqual(sortedNumbers(run.succeeded), sortedNumbers(numbered(8)));
    },
  );
}

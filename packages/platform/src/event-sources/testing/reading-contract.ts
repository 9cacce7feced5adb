import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { openReader, type Taken } from "./open-reader.ts";
import { runWorld } from "./run-world.ts";
import { type Check, numbered, sortedNumbers } from "./source-world.ts";

/** "At once", on a machine that is busy with other tests. */
const STOP_MS = 3000;

/** What an adapter has to hold by itself. */
export function declareReading(check: Check): void {
  check("it reads no more than there is room for, and in the end everything", async (world, store) => {
    await world.put(numbered(25));
    await using reader = await openReader(world, store);
    const taken: Taken[] = [];
    while (taken.length < 25) {
      for (const each of await reader.take(1, 4)) {
        taken.push(each);
        await each.partition.done([each.message]);
      }
    }
    assert.deepEqual(
      sortedNumbers(taken.map(({ message }) => world.read(message))),
      sortedNumbers(numbered(25)),
    );
    for (const partition of reader.partitions) {
      const ids = taken.filter((each) => each.partition === partition).map(({ message }) => message.id);
      assert.equal(new Set(ids).size, ids.length, "each has an id of its own in its partition");
    }
    for (const { message } of taken) {
      assert.ok(message.attempt >= 1);
      assert.ok(typeof JSON.parse(message.json) === "object");
    }
  });

  check("what has not ended comes again after a restart, whatever ended beside it", async (world, store) => {
    await world.put(numbered(6));
    const ids = new Map<number, string>();
    const ended = new Set<number>();
    {
      await using reader = await openReader(world, store);
      const taken = await reader.take(6, 10);
      for (const { message } of taken) ids.set(world.read(message).n, message.id);
      // The first of all ends, and of the others each second one, from the last on.
      for (const { message, partition } of taken.toReversed()) {
        const { n } = world.read(message);
        if (n % 2 === 1 || n === 2) continue;
        await partition.done([message]);
        ended.add(n);
      }
      for (const { message, partition } of taken) {
        if (!ended.has(world.read(message).n)) await partition.giveBack?.([message], 0);
      }
    }
    const open = [1, 2, 3, 5];
    await using reader = await openReader(world, store);
    const again = new Set<number>();
    await reader.poll(10, ({ message }) => {
      const { n } = world.read(message);
      assert.equal(message.id, ids.get(n), "the same message has the same id");
      again.add(n);
      return open.every((each) => again.has(each));
    });
    assert.ok(!again.has(0), "what ended before everything else is not given again");
  });

  check("an end that the store does not take is written by the next try", async (world, store) => {
    await world.put(numbered(4));
    let writes = 0;
    const resources = new Proxy(store.resources, {
      get(target, name) {
        const method = Reflect.get(target, name) as (...args: unknown[]) => unknown;
        const isRefused = name === "replace" && ++writes % 2 === 1;
        return isRefused ? () => Promise.reject(new Error("not now")) : method.bind(target);
      },
    });
    {
      await using reader = await openReader(world, { resources });
      const taken = await reader.take(4, 10);
      for (const partition of reader.partitions) {
        const own = taken.filter((each) => each.partition === partition).map(({ message }) => message);
        if (own.length > 0) await partition.done(own).catch(() => partition.done(own));
      }
    }
    await world.put(numbered(2, 4));
    await using reader = await openReader(world, store);
    const seen = new Set<number>();
    await reader.poll(10, ({ message }) => {
      const { n } = world.read(message);
      assert.ok(n >= 4, `${n} had ended`);
      return seen.add(n).size === 2;
    });
  });

  check(
    "it stops at once when nobody wants to wait any more, and loses nothing by it",
    async (world, store) => {
      {
        await using reader = await openReader(world, store);
        const abort = new AbortController();
        const waiting = reader.partitions.map((partition) => partition.receive(5, abort.signal));
        const over = Promise.allSettled(waiting);
        await pause(500);
        const begun = Date.now();
        abort.abort();
        await over;
        assert.ok(Date.now() - begun < STOP_MS, `it took ${Date.now() - begun} ms`);
      }
      await world.put(numbered(3));
      await using run = runWorld({ world, resources: store.resources });
      await run.until(() => run.succeeded.length === 3, "what was put afterwards");
      const tookMs = await run.stop();
      assert.ok(tookMs < STOP_MS, `the whole of it took ${tookMs} ms to stop`);
    },
  );
}

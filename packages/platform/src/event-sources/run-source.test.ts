import assert from "node:assert/strict";
import test from "node:test";
import { createSqliteStore } from "@sous/store";
import type { SourceAdapter } from "./adapter.ts";
import { createLocalLeases } from "./partition-leases.ts";
import { runSource } from "./run-source.ts";
import { sleep } from "./sleep.ts";
import { SourceProgress } from "./source-progress.ts";
import { SOURCE } from "./testing/source-world.ts";

test("a look for partitions that fails is done again while others are read, and finds what is new", async () => {
  await using store = await createSqliteStore({ path: ":memory:" });
  const stop = new AbortController();
  const opened: string[] = [];
  let looks = 0;
  const adapter: SourceAdapter = {
    async partitions() {
      looks++;
      if (looks > 1 && looks < 4) throw new Error("out of reach");
      const names = looks === 1 ? ["first"] : ["first", "second"];
      return names.map((id) => ({ id, parents: [] }));
    },
    async open(id) {
      opened.push(id);
      if (id === "second") stop.abort();
      return {
        async receive(_room, signal) {
          await sleep(60_000, signal);
          return [];
        },
        done: async () => {},
        [Symbol.asyncDispose]: async () => {},
      };
    },
    [Symbol.asyncDispose]: async () => {},
  };
  const faults: string[] = [];
  const meter = { count: () => {}, fault: (_: unknown, error: unknown) => void faults.push(String(error)) };
  let adapters = 0;
  await runSource({
    source: SOURCE,
    openAdapter: async () => {
      adapters++;
      return adapter;
    },
    resources: store.resources,
    leases: createLocalLeases(),
    submitter: { run: () => assert.fail("nothing comes"), refuse: () => assert.fail("nothing comes") },
    progress: new SourceProgress(SOURCE, meter, Date.now),
    depthMax: 8,
    clock: Date.now,
    random: () => 0.5,
    // Looks of every ten seconds need not be waited for; the wait of a read is not shortened.
    sleep: (ms, signal) => sleep(Math.min(ms, 5), signal),
    stop: stop.signal,
    abandon: new AbortController().signal,
  });
  assert.deepEqual([opened, adapters], [["first", "second"], 1]);
  assert.deepEqual(faults, ["Error: out of reach", "Error: out of reach"]);
});

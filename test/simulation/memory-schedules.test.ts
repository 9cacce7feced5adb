import { test } from "node:test";
import type { Store } from "@sous/store";
import { leaseSuite, scheduleSuite } from "@sous/store/contract";
import { MemoryLeases, MemorySchedules } from "./schedule-world.ts";

/** The store of the simulation keeps the same contract as those that are real. */
const storeTest = (name: string, body: (store: Store) => Promise<void>): void =>
  void test(`in memory: ${name}`, () => {
    const leases = new MemoryLeases();
    const schedules = new MemorySchedules(leases, 5);
    return body({ schedules, leases } as unknown as Store);
  });

scheduleSuite(storeTest);
leaseSuite(storeTest);

import { describe, test } from "node:test";
import { createSqliteStore } from "@sous/store";
import { declareReading } from "./reading-contract.ts";
import { declareHiding, declareOutage, declareRunning } from "./running-contract.ts";
import type { Check, SourceTraits, SourceWorld } from "./source-world.ts";

/**
 * Runs what every adapter of an event source has to hold, against a real server.
 * @param openSource makes an empty source; each test gets one of its own
 */
export function describeAdapterContract(
  name: string,
  openSource: () => Promise<SourceWorld>,
  { ordered, remote, hidesMs }: SourceTraits,
): void {
  const check: Check = (what, run) =>
    void test(what, async () => {
      await using store = await createSqliteStore({ path: ":memory:" });
      await using world = await openSource();
      try {
        await run(world, store);
      } finally {
        world.reachable?.(true);
      }
    });
  void describe(`the contract of event sources: ${name}`, () => {
    declareReading(check);
    declareRunning(check, ordered);
    if (hidesMs !== undefined) declareHiding(check, hidesMs);
    if (remote) declareOutage(check);
  });
}

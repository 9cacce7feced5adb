import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "./cluster.ts";
import type { TestServer } from "./server.ts";

const EVERY_MS = 20;

/**
 * Waits until one of the schedulers leads, by its own metrics.
 * @param except one that stands still, and cannot be asked
 * @throws when none does within a minute
 */
export async function someLeader(
  cluster: Pick<Cluster, "processes">,
  except?: TestServer,
): Promise<TestServer> {
  const endMs = Date.now() + 60_000;
  for (;;) {
    const leader = await leaderOf(cluster, except);
    if (leader !== undefined) return leader;
    assert.ok(Date.now() < endMs, "no scheduler leads for a minute");
    await sleep(EVERY_MS);
  }
}

async function leaderOf(
  { processes }: Pick<Cluster, "processes">,
  except?: TestServer,
): Promise<TestServer | undefined> {
  for (const server of processes.scheduler) {
    if (server === except) continue;
    const text = await (await fetch(`${server.url}/metrics`)).text();
    if (/^cs_scheduler_leader 1$/m.test(text)) return server;
  }
  return undefined;
}

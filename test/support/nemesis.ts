import { setTimeout as sleep } from "node:timers/promises";
import type { RedisServer, TcpProxy } from "@sous/store/testing";
import type { Cluster, RoleName } from "./cluster.ts";
import type { Trouble } from "./history.ts";
import { someLeader } from "./leader.ts";
import type { TestServer } from "./server.ts";

export interface NemesisOptions {
  cluster: Cluster;
  /** Where every process reaches the engine, and where the one apart does. */
  proxy: TcpProxy;
  engine: RedisServer;
  random: () => number;
  /** How long a claim lasts, ms: pauses are shorter and longer than that. */
  leaseMs: number;
}

export interface Nemesis {
  /** Each thing it did, and until when that was mended. */
  readonly troubles: readonly Trouble[];
  /** Does one thing to the cluster and mends it. @returns what it did */
  strike(): Promise<string>;
}

interface Strike {
  /** @returns what was done */
  run: () => Promise<string>;
  /** Somebody who resolves aliases does not reach the store meanwhile (no). */
  isStoreAway?: boolean;
}

/** Breaks one part of a running cluster at a time: kills, pauses, cut connections, a restart of the engine. */
export function createNemesis(options: NemesisOptions): Nemesis {
  const { cluster, proxy, engine, random, leaseMs } = options;
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;

  /** Of the schedulers the one that leads: to strike another one breaks nothing. */
  const pickOf = async (role: RoleName): Promise<TestServer> =>
    role === "scheduler" ? await someLeader(cluster) : pick(cluster.processes[role]);
  const nameOf = (role: RoleName): string => (role === "scheduler" ? "the leading scheduler" : role);

  async function kill(role: RoleName): Promise<string> {
    const victim = await pickOf(role);
    await victim.kill();
    cluster.processes[role] = cluster.processes[role].filter((server) => server !== victim);
    await sleep(random() * 500);
    await cluster.start(role);
    return `killed ${nameOf(role)} ${victim.pid}`;
  }

  async function pause(role: RoleName): Promise<string> {
    const { pid } = await pickOf(role);
    const forMs = Math.round(leaseMs * (0.3 + random() * 1.7));
    process.kill(pid, "SIGSTOP");
    await sleep(forMs);
    process.kill(pid, "SIGCONT");
    return `stopped ${nameOf(role)} ${pid} for ${forMs} ms`;
  }

  async function hold(): Promise<string> {
    const forMs = Math.round(200 + random() * leaseMs);
    proxy.hold(true);
    await sleep(forMs);
    proxy.hold(false);
    return `let nothing through for ${forMs} ms`;
  }

  async function killEngine(): Promise<string> {
    await engine.kill();
    await sleep(random() * 500);
    await engine.restart();
    return "killed the engine";
  }

  async function cut(): Promise<string> {
    proxy.cut();
    return "cut every connection";
  }

  const strikes: readonly Strike[] = [
    { run: () => kill("invoker") },
    { run: () => kill("gateway") },
    { run: () => kill("scheduler") },
    { run: () => kill("control") },
    { run: () => pause("invoker") },
    { run: () => pause("scheduler") },
    { run: () => pause("gateway") },
    { run: cut, isStoreAway: true },
    { run: hold, isStoreAway: true },
    { run: killEngine, isStoreAway: true },
  ];
  let left: Strike[] = [];
  const troubles: Trouble[] = [];

  return {
    troubles,
    async strike() {
      // Every kind comes once before any comes again.
      if (left.length === 0) left = [...strikes];
      const strike = pick(left);
      left = left.filter((other) => other !== strike);
      const { run, isStoreAway = false } = strike;
      const fromMs = Date.now();
      const done = await run();
      // What a killed or paused process held comes back with its lease.
      troubles.push({ fromMs, untilMs: Date.now() + leaseMs, isStoreAway });
      return done;
    },
  };
}

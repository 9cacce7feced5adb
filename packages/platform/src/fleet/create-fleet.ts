import { PlatformError } from "@sous/contract";
import type { SandboxDriver, SandboxOutcome, SandboxProgram, SandboxTask } from "@sous/sandbox";
import type { Fleet, FleetClient } from "./fleet.ts";
import { type Host, ISOLATE_WEIGHT, TenantHosts } from "./tenant-hosts.ts";

const SWEEP_MS = 1000;
/** Sandboxes a tenant may have for its ordinary programs. */
const SHARED_HOSTS_MAX = 4;
/** Activations a sandbox has ahead of it: enough to keep it busy, few enough to begin long before their deadlines. */
const UNBEGUN_MAX = 32;
/** Activations not yet begun with which a sandbox does not keep up; fewer wait wherever the machine is busy. */
const BEHIND_MIN = 24;
const RELIEF_EVERY_MS = 100;
/** Heavy programs remembered of a tenant; the oldest is forgiven first. */
const HEAVY_MAX = 256;
/** Sandboxes a tenant may have however many tenants there are. */
const HOSTS_OF_TENANT_MIN = 2;

export interface FleetOptions {
  driver: SandboxDriver;
  /** Most sandboxes alive at once; idle ones make room, least lately used first. */
  hostsMax: number;
  /** A tenant without work for this long has no sandbox any more, in milliseconds. */
  hostIdleMs: number;
  /** Programs a sandbox keeps warm; past it the least lately used lose their places. Five that share an isolate count as one. */
  programsPerHostMax: number;
  /** Programs all sandboxes together keep warm, counted alike. */
  programsMax: number;
  now: () => number;
}

interface Waiting {
  task: SandboxTask;
  client: FleetClient;
  sinceMs: number;
  timer: NodeJS.Timeout;
  only: string | undefined;
}

/**
 * The warm pool. A program has a home, one sandbox of its tenant, so that its isolates are reused and its
 * bound on concurrency is kept in one place. A tenant with more than one program has two homes to spread
 * over; a program that blocks its sandbox is sent to one of its own.
 */
export function createFleet(options: FleetOptions): Fleet {
  const { driver, now } = options;
  const hostWeightMax = options.programsPerHostMax * ISOLATE_WEIGHT;
  const weightMax = options.programsMax * ISOLATE_WEIGHT;
  const tenants = new Map<string, TenantHosts>();
  const waiting = new Map<TenantHosts, Waiting[]>();
  let hostCount = 0;
  let closed = false;

  function tenantOf(id: string): TenantHosts {
    let tenant = tenants.get(id);
    if (tenant === undefined) tenants.set(id, (tenant = new TenantHosts(id)));
    return tenant;
  }

  function place(tenant: TenantHosts, task: SandboxTask): Host | undefined {
    const { key } = task.program;
    const home = tenant.home(key);
    if (home !== undefined) return relieve(tenant, task.program, home);
    if (tenant.heavy.has(key)) return undefined;
    const host = tenant.leastLoaded();
    if (host === undefined) return undefined;
    const shared = sharedHosts(tenant);
    const isFull = host.weight >= hostWeightMax || host.sandbox.crowded;
    const wants = isFull || (shared < 2 && wantsSecond(host, task.program));
    if (wants && shared < SHARED_HOSTS_MAX && tenant.creating === 0) grow(tenant, undefined);
    settle(tenant, task.program, host);
    return host;
  }

  /**
   * A second program gets a second sandbox as soon as one is up; until then it shares. Those that share an isolate stay
   * together while their sandbox keeps up: one that is woken for several is woken less often.
   */
  function wantsSecond(host: Host, program: SandboxProgram): boolean {
    return program.isolation === "shared" ? isBehind(host, program) : host.programs.size > 0;
  }

  /**
   * Moves a program from a sandbox that is behind to one of its tenant that keeps up, and asks for one where there is none. Not
   * one that runs: its bound on concurrency is kept in one place, and it may itself be what is too much.
   */
  function relieve(tenant: TenantHosts, program: SandboxProgram, home: Host): Host {
    if (!isBehind(home, program)) return home;
    const sinceMs = now() - tenant.relievedMs;
    if (sinceMs >= 0 && sinceMs < RELIEF_EVERY_MS) return home;
    const other = [...tenant.hosts].find(
      (host) => host.only === undefined && !host.sandbox.stalled && !isBehind(host, program),
    );
    if (other === undefined) {
      if (sharedHosts(tenant) < SHARED_HOSTS_MAX && tenant.creating === 0) grow(tenant, undefined);
      return home;
    }
    if (home.sandbox.runningPrograms().has(program.key)) return home;
    tenant.relievedMs = now();
    home.sandbox.evict(program.key);
    settle(tenant, program, other);
    return other;
  }

  function sharedHosts(tenant: TenantHosts): number {
    let count = 0;
    for (const host of tenant.hosts) if (host.only === undefined) count++;
    return count;
  }

  function begin(host: Host, task: SandboxTask, client: FleetClient): void {
    host.use(task.program.key, now());
    client.onPlaced(host.sandbox.id);
    host.sandbox.start(task, client);
  }

  function wait(tenant: TenantHosts, task: SandboxTask, client: FleetClient): void {
    if (closed) {
      client.onOutcome(unplaced("SandboxCrashed", "the platform is shutting down", 0));
      return;
    }
    const only = tenant.heavy.has(task.program.key) ? task.program.key : undefined;
    const queue = waiting.get(tenant) ?? [];
    waiting.set(tenant, queue);
    const give = (): void => {
      const at = queue.indexOf(entry);
      if (at >= 0) queue.splice(at, 1);
      const waitedMs = now() - entry.sinceMs;
      // One is on its way, and was too slow for this deadline; else there is none to wait for.
      client.onOutcome(
        tenant.creating > 0
          ? unplaced("Timeout", "the deadline passed before a sandbox was ready", waitedMs)
          : unplaced("Expired", NO_ROOM, waitedMs),
      );
    };
    const timer = setTimeout(give, Math.max(0, task.deadlineMs - now()));
    const entry: Waiting = { task, client, sinceMs: now(), timer, only };
    queue.push(entry);
    growFor(tenant, only);
  }

  /** Asks for a host for waiting work, one at a time and no more than a tenant may share. */
  function growFor(tenant: TenantHosts, only: string | undefined): void {
    const stuck = only === undefined && sharedHosts(tenant) >= SHARED_HOSTS_MAX;
    if (tenant.creating === 0 && !stuck && !closed) grow(tenant, only);
  }

  /** One tenant takes its share of the hosts and no more, so that there is always room for the next. */
  function shareOf(): number {
    let others = 0;
    for (const { hosts, creating } of tenants.values()) if (hosts.size + creating > 0) others++;
    return Math.max(HOSTS_OF_TENANT_MIN, Math.floor(options.hostsMax / (others + 1)));
  }

  function grow(tenant: TenantHosts, only: string | undefined): void {
    const own = tenant.hosts.size + tenant.creating;
    if (own > 0 && own >= shareOf()) return;
    if (hostCount >= options.hostsMax && !makeRoom() && !(own === 0 && takeFromLargest())) return;
    hostCount++;
    tenant.creating++;
    driver
      .create({ tenant: tenant.tenant })
      .then((sandbox) => adopt(tenant, tenant.add(sandbox, only, now())))
      .catch((error: unknown) => {
        hostCount--;
        refuse(tenant, error instanceof PlatformError ? error.message : String(error));
      })
      .finally(() => {
        tenant.creating--;
        serve(tenant);
      });
  }

  function adopt(tenant: TenantHosts, host: Host): void {
    host.sandbox.listen((event) => {
      switch (event.type) {
        case "slow":
          if (tenant.strike(event.programKey)) condemn(tenant, event.programKey);
          break;
        case "abnormal":
          condemn(tenant, event.programKey);
          break;
        case "idle":
          serve(tenant);
          break;
        case "exited":
          hostCount--;
          tenant.remove(host);
          for (const other of tenants.values()) serve(other);
          break;
        case "created":
          break;
      }
    });
  }

  function condemn(tenant: TenantHosts, programKey: string): void {
    tenant.condemn(programKey);
    if (tenant.heavy.size <= HEAVY_MAX) return;
    for (const oldest of tenant.heavy) {
      tenant.heavy.delete(oldest);
      break;
    }
  }

  /** Gives waiting work to hosts that can take it now, and asks for a host where there is none. */
  function serve(tenant: TenantHosts): void {
    const queue = waiting.get(tenant);
    if (queue === undefined || queue.length === 0) return;
    for (const entry of queue.splice(0)) {
      const host = hostFor(tenant, entry);
      if (host === undefined) {
        queue.push(entry);
        growFor(tenant, entry.only);
        continue;
      }
      clearTimeout(entry.timer);
      begin(host, entry.task, afterWaiting(entry, now()));
    }
  }

  function hostFor(tenant: TenantHosts, entry: Pick<Waiting, "task" | "only">): Host | undefined {
    const { program } = entry.task;
    const { key } = program;
    if (entry.only === undefined) return place(tenant, entry.task);
    const home = tenant.home(key);
    if (home !== undefined) return home;
    let shared: Host | undefined;
    for (const host of tenant.hosts) {
      if (host.only === undefined || host.sandbox.stalled) continue;
      if (host.only === key) {
        settle(tenant, program, host);
        return host;
      }
      if (shared === undefined || host.weight < shared.weight) shared = host;
    }
    // The share is used up: heavy programs then live together, apart from the others still.
    if (shared === undefined || tenant.hosts.size + tenant.creating < shareOf()) return undefined;
    settle(tenant, program, shared);
    return shared;
  }

  function refuse(tenant: TenantHosts, why: string): void {
    for (const entry of waiting.get(tenant)?.splice(0) ?? []) {
      clearTimeout(entry.timer);
      entry.client.onOutcome(unplaced("SandboxCrashed", why, now() - entry.sinceMs));
    }
  }

  /** Ends the host that has been idle longest. @returns whether there was one */
  function makeRoom(): boolean {
    let oldest: Host | undefined;
    for (const tenant of tenants.values()) {
      for (const host of tenant.hosts) {
        if (host.sandbox.active === 0 && (oldest === undefined || host.lastUsedMs < oldest.lastUsedMs))
          oldest = host;
      }
    }
    oldest?.sandbox.kill("room was needed for another tenant");
    return oldest !== undefined;
  }

  /** A tenant without any host comes before the last of a tenant with many, busy or not. */
  function takeFromLargest(): boolean {
    let largest: TenantHosts | undefined;
    for (const tenant of tenants.values()) {
      if (tenant.hosts.size > (largest?.hosts.size ?? HOSTS_OF_TENANT_MIN)) largest = tenant;
    }
    let oldest: Host | undefined;
    for (const host of largest?.hosts ?? []) {
      if (oldest === undefined || host.lastUsedMs < oldest.lastUsedMs) oldest = host;
    }
    oldest?.sandbox.kill("room was needed for a tenant without a sandbox");
    return oldest !== undefined;
  }

  function sweep(): void {
    const at = now();
    for (const [id, tenant] of tenants) {
      for (const host of tenant.hosts) {
        if (host.sandbox.active > 0) continue;
        if (at - host.lastUsedMs > options.hostIdleMs) host.sandbox.kill("idle");
      }
      // A host of another tenant may have fallen idle since: it makes room for this one's.
      serve(tenant);
      if (tenant.hosts.size === 0 && tenant.creating === 0 && (waiting.get(tenant)?.length ?? 0) === 0) {
        waiting.delete(tenant);
        if (tenant.heavy.size === 0) tenants.delete(id);
      }
    }
  }

  /** Gives a program its home; where there is no room for one more, others make it. */
  function settle(tenant: TenantHosts, program: SandboxProgram, host: Host): void {
    const { key } = program;
    tenant.settle(program, host, now());
    while (host.only === undefined && host.weight > hostWeightMax && host.programs.size > 1)
      evictOldest(tenant, host, key);
    // One for one: a process that holds much does not shrink by it, but it grows no more.
    if (host.sandbox.crowded) evictOldest(tenant, host, key);
    for (let room = tally(); room.weight > weightMax; room = tally()) {
      if (room.largest === undefined) return;
      evictOldest(...room.largest, key);
    }
  }

  /** What all programs at home somewhere take, and the fullest host of the tenant with most: who has few keeps them. */
  function tally(): { weight: number; largest: [tenant: TenantHosts, host: Host] | undefined } {
    let weight = 0;
    let most = 0;
    let largest: [tenant: TenantHosts, host: Host] | undefined;
    for (const tenant of tenants.values()) {
      let own = 0;
      let fullest: Host | undefined;
      for (const host of tenant.hosts) {
        own += host.weight;
        if (host.programs.size > 1 && host.weight > (fullest?.weight ?? 0)) fullest = host;
      }
      weight += own;
      if (fullest === undefined || own <= most) continue;
      most = own;
      largest = [tenant, fullest];
    }
    return { weight, largest };
  }

  /** Of the programs that do not run, if there are any, the one used least lately makes room. */
  function evictOldest(tenant: TenantHosts, host: Host, newcomer: string): void {
    const running = host.sandbox.runningPrograms();
    let oldest: { key: string; usedMs: number; runs: boolean } | undefined;
    for (const [key, { usedMs }] of host.programs) {
      if (key === newcomer) continue;
      const runs = running.has(key);
      if (oldest === undefined || (runs === oldest.runs ? usedMs < oldest.usedMs : oldest.runs))
        oldest = { key, usedMs, runs };
    }
    if (oldest === undefined) return;
    const { key } = oldest;
    host.sandbox.evict(key);
    host.leave(key);
    if (tenant.homes.get(key) === host) tenant.homes.delete(key);
  }

  const sweeper = setInterval(sweep, SWEEP_MS);
  sweeper.unref();

  return {
    tier: driver.tier,
    run(tenantId, task, client) {
      const tenant = tenantOf(tenantId);
      const only = tenant.heavy.has(task.program.key) ? task.program.key : undefined;
      const host = hostFor(tenant, { task, only });
      if (host === undefined) wait(tenant, task, client);
      else begin(host, task, client);
    },
    hasRoom(tenantId) {
      const tenant = tenants.get(tenantId);
      if (tenant === undefined) return true;
      let unbegun = waiting.get(tenant)?.length ?? 0;
      for (const { sandbox } of tenant.hosts) unbegun += sandbox.waiting;
      return unbegun < UNBEGUN_MAX * Math.max(1, tenant.hosts.size);
    },
    cancel(tenantId, activationId) {
      const tenant = tenants.get(tenantId);
      if (tenant === undefined) return;
      const queue = waiting.get(tenant) ?? [];
      const at = queue.findIndex(({ task }) => task.activationId === activationId);
      const [entry] = at < 0 ? [] : queue.splice(at, 1);
      if (entry === undefined) {
        for (const host of tenant.hosts) host.sandbox.cancel(activationId);
        return;
      }
      clearTimeout(entry.timer);
      const message = "cancelled before a sandbox was ready";
      entry.client.onOutcome(unplaced("Cancelled", message, now() - entry.sinceMs));
    },
    stats() {
      let active = 0;
      let warmPrograms = 0;
      for (const tenant of tenants.values()) {
        for (const host of tenant.hosts) {
          active += host.sandbox.active;
          warmPrograms += host.sandbox.warmPrograms.size;
        }
      }
      return { tenants: tenants.size, sandboxes: hostCount, active, warmPrograms };
    },
    warmPrograms(max) {
      const used = new Map<string, number>();
      for (const tenant of tenants.values()) {
        for (const { sandbox, programs } of tenant.hosts) {
          for (const key of sandbox.warmPrograms) used.set(key, programs.get(key)?.usedMs ?? 0);
        }
      }
      const keys = [...used.keys()];
      if (keys.length <= max) return keys;
      return keys.sort((a, b) => (used.get(b) ?? 0) - (used.get(a) ?? 0)).slice(0, max);
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      clearInterval(sweeper);
      for (const tenant of waiting.keys()) refuse(tenant, "the platform is shutting down");
      const all = [...tenants.values()].flatMap((tenant) => [...tenant.hosts]);
      await Promise.all(all.map((host) => host.sandbox[Symbol.asyncDispose]()));
    },
  };
}

/** Adds the wait for a sandbox to what the client hears: it was the cold start. */
function afterWaiting(entry: Waiting, atMs: number): FleetClient {
  const waitedMs = atMs - entry.sinceMs;
  const { client } = entry;
  return {
    onPlaced: (sandboxId) => client.onPlaced(sandboxId),
    onHostCall: (call, answer) => client.onHostCall(call, answer),
    onLog: (level, text) => client.onLog(level, text),
    onOutcome(outcome) {
      const timings = { ...outcome.timings, bootMs: outcome.timings.bootMs + waitedMs };
      client.onOutcome({ ...outcome, timings, cold: true, coldReason: "new_host" });
    },
  };
}

/** Whether programs that share isolates are too many for one sandbox. */
const isBehind = ({ sandbox }: Host, { isolation }: SandboxProgram): boolean =>
  isolation === "shared" && sandbox.active >= BEHIND_MIN && sandbox.waiting >= BEHIND_MIN;

const NO_ROOM =
  "no room for a sandbox before the deadline: all are taken, or busy with other work of this tenant; try again";

function unplaced(
  type: "Timeout" | "SandboxCrashed" | "Cancelled" | "Expired",
  message: string,
  waitedMs: number,
): SandboxOutcome {
  return {
    status: type === "Timeout" ? "timeout" : type === "Cancelled" ? "cancelled" : "error",
    error: { type, message },
    cold: true,
    coldReason: "new_host",
    timings: { placementMs: waitedMs, bootMs: 0, initMs: 0, handlerMs: 0, hostCallsMs: 0 },
    cpuMs: 0,
    memoryPeakBytes: 0,
    externalMemoryBytes: 0,
    timersPeak: 0,
    started: false,
  };
}

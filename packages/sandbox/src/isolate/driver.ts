import { PlatformError } from "@sous/contract";
import type { Sandbox, SandboxDriver } from "../sandbox.ts";
import { SupervisedSandbox } from "../supervise.ts";
import type { LauncherKind } from "./closing/launchers.ts";
import type { HostLevel } from "./closing/layers.ts";
import { loadGuestBundle } from "./guest-bundle.ts";
import { bundleHostProgram, HOST_PROGRAMS } from "./host-bundle.ts";
import { createHostStarter, type HostReport, type StartedMechanism } from "./host-starter.ts";
import { createSpawner } from "./spawner/spawner.ts";

const MiB = 1024 * 1024;
const WATCH_MS = 10;
/** Between two looks at hosts without work, in case one grows all the same. */
const GUARD_MS = 1000;
const RESTOCK_DELAY_MS = 200;

export interface IsolateDriverOptions {
  /** Hosts kept ready for a tenant that has none (1). */
  stems?: number;
  /** Isolates each host makes ahead (4). */
  pairs?: number;
  /** Memory of the isolates made ahead, in MiB (64). */
  pairMemoryMb?: number;
  /** Idle isolates are dropped after this time, in milliseconds (300000). */
  isolateIdleMs?: number;
  /** Resident memory one host may reach, in MiB (512). */
  hostMemoryMb?: number;
  /** First of the user ids hosts run under when started as root (61000). */
  firstUid?: number;
  /** How far hosts have to be closed by the operating system; one that is less is refused (open). */
  requires?: HostLevel;
  /** Ways to start a host that are not tried: what a machine does that lacks them. */
  without?: readonly LauncherKind[];
  /** Path of bubblewrap (where it is installed by the system). */
  bubblewrap?: string;
  /** Called with how each host is closed, for the operator. */
  onReport?: (report: HostReport) => void;
}

export interface IsolateDriver extends SandboxDriver {
  /** Milliseconds the last host took to be ready. */
  readonly lastStartMs: number;
  /** Whether hosts are given the guest as V8 compiled it in the first one, and need not warm up. */
  readonly isGuestCompiled: boolean;
  /**
   * Says how hosts are closed on this machine, by one that runs.
   * @throws CS_INTERNAL when none starts, CS_VALIDATION_FAILED when it is closed less than required
   */
  inspect(): Promise<HostReport>;
}

/**
 * Makes sandboxes of isolates: host processes of one tenant each, with isolated-vm inside, kept apart from
 * the invoker by a link and an unprivileged user of their own.
 */
export async function createIsolateDriver(options: IsolateDriverOptions = {}): Promise<IsolateDriver> {
  await using failed = new AsyncDisposableStack();
  // One after the other: each stops the bundler's process when it had to start it.
  const spawner = failed.use(createSpawner((await bundleHostProgram(HOST_PROGRAMS.spawner)).file));
  const guest = await loadGuestBundle();
  const host = await bundleHostProgram(HOST_PROGRAMS.host);
  const jail = await bundleHostProgram(HOST_PROGRAMS.jail);
  const stemsWanted = options.stems ?? 1;
  const memoryBytesMax = (options.hostMemoryMb ?? 512) * MiB;
  const starter = createHostStarter({
    spawner,
    host,
    jail,
    guest,
    memoryBytesMax,
    pairs: options.pairs ?? 4,
    pairMemoryMb: options.pairMemoryMb ?? 64,
    idleTtlMs: options.isolateIdleMs ?? 300_000,
    firstUid: options.firstUid ?? 61_000,
    requires: options.requires ?? "open",
    without: options.without ?? [],
    ...(options.bubblewrap === undefined ? {} : { bubblewrap: options.bubblewrap }),
  });
  const live = new Set<SupervisedSandbox>();
  const stems: Promise<StartedMechanism>[] = [];
  /** Starts under way. */
  const under = new Set<Promise<StartedMechanism>>();
  let lastStartMs = 0;
  let closed = false;
  let watcher: NodeJS.Timeout | undefined;
  let restocking: NodeJS.Timeout | undefined;

  async function start(): Promise<StartedMechanism> {
    const begun = performance.now();
    const starting = starter.start();
    under.add(starting);
    const started = await starting.finally(() => under.delete(starting));
    lastStartMs = performance.now() - begun;
    options.onReport?.(started.report);
    return started;
  }

  /** Put off a little: a process that starts takes the processor from the one that was just taken. */
  function restockSoon(): void {
    restocking ??= setTimeout(() => {
      restocking = undefined;
      restock();
    }, RESTOCK_DELAY_MS);
  }

  function addStem(): Promise<StartedMechanism> {
    const stem = start();
    stems.push(stem);
    // Whoever waits for it hears of it, and the next one has another.
    stem.catch(() => {
      const at = stems.indexOf(stem);
      if (at >= 0) void stems.splice(at, 1);
    });
    return stem;
  }

  function restock(): void {
    while (!closed && stems.length < stemsWanted) void addStem();
  }

  /** A stem that lives, or a host started now. */
  async function take(): Promise<StartedMechanism> {
    for (let stem = stems.shift(); stem !== undefined; stem = stems.shift()) {
      const started = await stem.catch(() => undefined);
      if (started?.mechanism.alive) return started;
    }
    return start();
  }

  function watch(): void {
    const now = Date.now();
    let active = false;
    for (const sandbox of live) {
      if (!sandbox.watchful) continue;
      active = true;
      sandbox.watch(now);
    }
    if (!active) {
      clearInterval(watcher);
      watcher = undefined;
    }
  }

  function attend(): void {
    if (watcher !== undefined || closed) return;
    watcher = setInterval(watch, WATCH_MS);
    watcher.unref();
  }

  const guard = setInterval(() => {
    const now = Date.now();
    for (const sandbox of live) if (!sandbox.watchful) sandbox.watch(now);
  }, GUARD_MS);
  guard.unref();

  restock();
  failed.move();
  return {
    tier: "isolate",
    get lastStartMs() {
      return lastStartMs;
    },
    get isGuestCompiled() {
      return starter.caches !== undefined;
    },
    inspect: async () => (await (stems[0] ?? addStem())).report,
    async create({ tenant }): Promise<Sandbox> {
      if (closed) throw new PlatformError("CS_DRAINING", "the sandbox driver is closed");
      const { mechanism } = await take();
      if (closed) {
        mechanism.kill();
        throw new PlatformError("CS_DRAINING", "the sandbox driver is closed");
      }
      restockSoon();
      const id = `host-${mechanism.pid}`;
      const sandbox = new SupervisedSandbox(mechanism, { id, tenant, memoryBytesMax, onActive: attend });
      live.add(sandbox);
      sandbox.listen((event) => {
        if (event.type === "exited") live.delete(sandbox);
      });
      return sandbox;
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      clearInterval(watcher);
      clearInterval(guard);
      clearTimeout(restocking);
      const waiting = stems
        .splice(0)
        .map((stem) => stem.then(({ mechanism }) => mechanism.kill()).catch(() => {}));
      await Promise.all([...waiting, ...[...live].map((sandbox) => sandbox[Symbol.asyncDispose]())]);
      await Promise.allSettled(under);
      await starter.close();
      await spawner[Symbol.asyncDispose]();
    },
  };
}

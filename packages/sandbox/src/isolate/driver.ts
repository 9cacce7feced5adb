import { PlatformError } from "@sous/contract";
import type { Sandbox, SandboxDriver } from "../sandbox.ts";
import { SupervisedSandbox } from "../supervise.ts";
import { loadGuestBundle } from "./guest-bundle.ts";
import { hostEntry } from "./host-bundle.ts";
import { HostMechanism } from "./host-sandbox.ts";
import type { HostReport, HostSetup } from "./protocol.ts";
import { startHost } from "./start-host.ts";

const MiB = 1024 * 1024;
const READY_TIMEOUT_MS = 10_000;
const WATCH_MS = 10;
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
  /** Called once with what the first host could give up, for the operator. */
  onReport?: (report: HostReport) => void;
}

export interface IsolateDriver extends SandboxDriver {
  /** Milliseconds the last host took to be ready. */
  readonly lastStartMs: number;
}

const UIDS = 1000;

/**
 * Makes sandboxes of isolates: host processes of one tenant each, with isolated-vm inside, kept apart from
 * the invoker by a link and an unprivileged user of their own.
 */
export async function createIsolateDriver(options: IsolateDriverOptions = {}): Promise<IsolateDriver> {
  // One after the other: each stops the bundler's process when it had to start it.
  const guest = await loadGuestBundle();
  const entry = await hostEntry();
  const root = process.getuid?.() === 0;
  const firstUid = options.firstUid ?? 61_000;
  const stemsWanted = options.stems ?? 1;
  const memoryBytesMax = (options.hostMemoryMb ?? 512) * MiB;
  const live = new Set<SupervisedSandbox>();
  const stems: Promise<HostMechanism>[] = [];
  let started = 0;
  let lastStartMs = 0;
  let closed = false;
  let watcher: NodeJS.Timeout | undefined;
  let restocking: NodeJS.Timeout | undefined;

  async function start(): Promise<HostMechanism> {
    const begun = performance.now();
    const mechanism = new HostMechanism(startHost(entry));
    const setup: HostSetup = {
      core: guest.core,
      parts: guest.parts,
      uid: root ? firstUid + (started++ % UIDS) : null,
      parentPid: process.pid,
      pairMemoryMb: options.pairMemoryMb ?? 64,
      pairs: options.pairs ?? 4,
      idleTtlMs: options.isolateIdleMs ?? 300_000,
    };
    mechanism.setup(JSON.stringify(setup));
    const report = await ready(mechanism);
    lastStartMs = performance.now() - begun;
    options.onReport?.(report);
    return mechanism;
  }

  /** Put off a little: a process that starts takes the processor from the one that was just taken. */
  function restockSoon(): void {
    restocking ??= setTimeout(() => {
      restocking = undefined;
      restock();
    }, RESTOCK_DELAY_MS);
  }

  function restock(): void {
    while (!closed && stems.length < stemsWanted) {
      const stem = start();
      // A stem that fails is noticed by whoever takes it.
      stem.catch(() => {});
      stems.push(stem);
    }
  }

  /** A stem that lives, or a host started now. */
  async function take(): Promise<HostMechanism> {
    for (let stem = stems.shift(); stem !== undefined; stem = stems.shift()) {
      const mechanism = await stem.catch(() => undefined);
      if (mechanism?.alive) return mechanism;
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

  restock();
  return {
    tier: "isolate",
    get lastStartMs() {
      return lastStartMs;
    },
    async create({ tenant }): Promise<Sandbox> {
      if (closed) throw new PlatformError("CS_DRAINING", "the sandbox driver is closed");
      const mechanism = await take();
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
      clearTimeout(restocking);
      const waiting = stems
        .splice(0)
        .map((stem) => stem.then((mechanism) => mechanism.kill()).catch(() => {}));
      await Promise.all([...waiting, ...[...live].map((sandbox) => sandbox[Symbol.asyncDispose]())]);
    },
  };
}

/** Waits for a host's report. @throws CS_INTERNAL when it ends or stays silent */
function ready(mechanism: HostMechanism): Promise<HostReport> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer);
      mechanism.kill();
      reject(new PlatformError("CS_INTERNAL", `a sandbox host did not start: ${why}`));
    };
    const timer = setTimeout(() => fail(`not ready after ${READY_TIMEOUT_MS} ms`), READY_TIMEOUT_MS);
    const ignore = (): void => {};
    mechanism.listen({
      onReady: (report) => {
        clearTimeout(timer);
        resolve(JSON.parse(report) as HostReport);
      },
      onOutcome: ignore,
      onCall: ignore,
      onLog: ignore,
      onGone: ignore,
      onWarm: ignore,
      onExit: (exit) => fail(`it ended with ${exit.signal ?? exit.code}: ${exit.detail.slice(-500)}`),
    });
  });
}

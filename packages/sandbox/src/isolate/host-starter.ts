import { closeSync, openSync } from "node:fs";
import { PlatformError } from "@sous/contract";
import { closeOptions, hostThreadsMax } from "./closing/close-options.ts";
import { type HostGroup, openHostGroups } from "./closing/host-groups.ts";
import { type HostLayer, type HostLevel, judgeLayers, levelOf, missingLayers } from "./closing/layers.ts";
import { type Launcher, type LauncherKind, launchersFor } from "./closing/launchers.ts";
import { readProcessAccount } from "./closing/process-account.ts";
import type { GuestBundle } from "./guest-bundle.ts";
import type { ClosedHost } from "./host/close-host.ts";
import type { HostProgram } from "./host-bundle.ts";
import { HostMechanism } from "./host-sandbox.ts";
import { type GuestCaches, type HostGuest, type HostSetup, MARKER_BYTES } from "./protocol.ts";
import { createPrivateFile } from "./spawner/private-file.ts";
import { type SpawnedHost, type Spawner, SpawnerGone } from "./spawner/spawner.ts";

const MiB = 1024 * 1024;
const READY_TIMEOUT_MS = 10_000;
/** Processors one host may use: its one thread, and the collector's beside it. */
export const HOST_CPUS = 1.5;
/** What the kernel counts beyond resident memory; below it the watch of `supervise` finds whom to blame. */
const GROUP_SLACK_BYTES = 64 * MiB;
const UIDS = 1000;

/** How a host is closed, as it was found when it was started. */
export interface HostReport {
  pid: number;
  /** User it runs as, as this process sees it; -1 where that cannot be told. */
  uid: number;
  launcher: LauncherKind;
  level: HostLevel;
  layers: readonly HostLayer[];
  /** More closed ways to start a host that did not work here, and why. */
  failures: readonly string[];
}

export interface HostStarterOptions {
  spawner: Spawner;
  host: HostProgram;
  jail: HostProgram;
  guest: GuestBundle;
  pairs: number;
  pairMemoryMb: number;
  idleTtlMs: number;
  memoryBytesMax: number;
  firstUid: number;
  /** A host that is closed less is ended at once. */
  requires: HostLevel;
  without: readonly LauncherKind[];
  bubblewrap?: string;
}

export interface StartedMechanism {
  mechanism: HostMechanism;
  report: HostReport;
}

export interface HostStarter {
  /** V8's compiled guest, once a host has made it: hosts that are started from then on are given it. */
  readonly caches: GuestCaches | undefined;
  /** @throws CS_INTERNAL when none starts, CS_VALIDATION_FAILED when it is closed less than required */
  start(): Promise<StartedMechanism>;
  close(): Promise<void>;
}

/**
 * Starts hosts in the most closed way that works on this machine. Which one that is shows with the first host;
 * from then on a failure is a failure, and no pressure on the machine makes later hosts less closed.
 */
export function createHostStarter(options: HostStarterOptions): HostStarter {
  const root = process.getuid?.() === 0;
  const launchers = launchersFor(options);
  const threadsMax = hostThreadsMax();
  const groups = openHostGroups({
    memoryBytes: options.memoryBytesMax + GROUP_SLACK_BYTES,
    cpus: HOST_CPUS,
    pids: threadsMax,
  });
  const failures: string[] = [];
  let chosen = 0;
  let settled = false;
  let started = 0;
  /** The compiled guest, from the first host that warmed up and had no program yet. */
  let caches: GuestCaches | undefined;
  /** Hundreds of kilobytes, for each host the same. */
  let guestJson = encodeGuest(options.guest);

  async function startBy(launcher: Launcher): Promise<StartedMechanism> {
    const uid = root ? options.firstUid + (started++ % UIDS) : null;
    const group = await groups.create();
    const { markerFd, host } = await spawn(launcher, uid, group);
    const mechanism = new HostMechanism({ ...host, markerFd, group }, GROUP_SLACK_BYTES);
    const setup: HostSetup = {
      pairMemoryMb: options.pairMemoryMb,
      pairs: options.pairs,
      idleTtlMs: options.idleTtlMs,
      ...closeOptions(launcher.kind, { uid, threadsMax, parentPid: host.parentPid }),
    };
    mechanism.onCaches = (made) => {
      if (caches !== undefined) return;
      caches = made;
      guestJson = encodeGuest({ ...options.guest, caches });
    };
    mechanism.setup(setup, guestJson);
    try {
      const report = reportOf(launcher.kind, mechanism.pid, await ready(mechanism));
      group.limitCpu();
      return { mechanism, report };
    } catch (error) {
      mechanism.kill();
      throw error;
    }
  }

  async function spawn(
    launcher: Launcher,
    uid: number | null,
    group: HostGroup,
  ): Promise<{ host: SpawnedHost; markerFd: number }> {
    using failed = new DisposableStack();
    failed.defer(() => group.remove());
    // The host writes it, we read it, and once both have it open nobody else can reach it.
    using marker = createPrivateFile(new Uint8Array(MARKER_BYTES));
    const markerFd = openSync(marker.path, "r");
    failed.defer(() => closeSync(markerFd));
    const groupFiles = group.processFiles;
    const host = await options.spawner.start({ launcher, uid, markerPath: marker.path, groupFiles });
    failed.move();
    return { host, markerFd };
  }

  function reportOf(kind: LauncherKind, pid: number, closed: ClosedHost): HostReport {
    const account = readProcessAccount(pid);
    const layers = judgeLayers({
      closed,
      account,
      launcher: kind,
      controllers: groups.controllers,
      ownUid: process.getuid?.() ?? -1,
      linux: process.platform === "linux",
    });
    return { pid, uid: account?.uid ?? -1, launcher: kind, level: levelOf(layers), layers, failures };
  }

  async function startClosed(): Promise<StartedMechanism> {
    for (;;) {
      const launcher = launchers[chosen];
      if (launcher === undefined)
        throw new PlatformError("CS_INTERNAL", "there is no way to start a sandbox host");
      const last = chosen === launchers.length - 1;
      try {
        const host = await startBy(launcher);
        settled = true;
        return host;
      } catch (error) {
        if (settled || last || error instanceof SpawnerGone) throw error;
        // Another start may have found out at the same time.
        if (launchers[chosen] !== launcher) continue;
        failures.push(`${launcher.kind}: ${error instanceof Error ? error.message : String(error)}`);
        chosen++;
      }
    }
  }

  return {
    get caches() {
      return caches;
    },
    async start() {
      const host = await startClosed();
      const missing = missingLayers(host.report.layers, options.requires);
      if (missing.length === 0) return host;
      host.mechanism.kill();
      throw new PlatformError("CS_VALIDATION_FAILED", missingMessage(options.requires, missing));
    },
    close: () => groups.close(),
  };
}

const encodeGuest = ({ core, parts, caches }: HostGuest): Buffer =>
  Buffer.from(JSON.stringify({ core, parts, caches }));

function missingMessage(level: HostLevel, missing: readonly HostLayer[]): string {
  const each = missing.map(({ name, how }) => (how === undefined ? name : `${name} (${how})`));
  return `sandbox.require is ${level}, and sandbox hosts lack here: ${each.join("; ")}. cs doctor shows every layer; with sandbox.require any the platform starts all the same`;
}

/** Waits for a host to have closed itself. @throws CS_INTERNAL when it ends or stays silent, `SpawnerGone` when that ends */
function ready(mechanism: HostMechanism): Promise<ClosedHost> {
  return new Promise((resolve, reject) => {
    const end = (error: PlatformError): void => {
      clearTimeout(timer);
      reject(error);
    };
    const fail = (why: string): void =>
      end(new PlatformError("CS_INTERNAL", `a sandbox host did not start: ${why}`));
    const timer = setTimeout(() => fail(`not ready after ${READY_TIMEOUT_MS} ms`), READY_TIMEOUT_MS);
    const ignore = (): void => {};
    mechanism.listen({
      onReady: (closed) => {
        clearTimeout(timer);
        resolve(JSON.parse(closed) as ClosedHost);
      },
      onOutcome: ignore,
      onCall: ignore,
      onLog: ignore,
      onGone: ignore,
      onWarm: ignore,
      onExit: ({ code, signal, detail }) => {
        const how = signal ?? code;
        if (how === null) end(new SpawnerGone(`while a host got ready: ${detail}`));
        else fail(`it ended with ${how}: ${detail.slice(-500)}`);
      },
    });
  });
}

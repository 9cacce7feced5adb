/**
 * Starts hosts in one way, as the user it runs as, runs probes in them and prints the answers as JSON: a
 * program of its own, so that the tests can run it as another user. Its one argument is the JSON of `ProbeRun`.
 */
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { closeOptions, hostThreadsMax } from "../../packages/sandbox/src/isolate/closing/close-options.ts";
import { openHostGroups } from "../../packages/sandbox/src/isolate/closing/host-groups.ts";
import { judgeLayers, levelOf } from "../../packages/sandbox/src/isolate/closing/layers.ts";
import { type LauncherKind, launchersFor } from "../../packages/sandbox/src/isolate/closing/launchers.ts";
import { readProcessAccount } from "../../packages/sandbox/src/isolate/closing/process-account.ts";
import { bundleHostProgram, HOST_PROGRAMS } from "../../packages/sandbox/src/isolate/host-bundle.ts";
import { HOST_CPUS } from "../../packages/sandbox/src/isolate/host-starter.ts";
import { MARKER_BYTES } from "../../packages/sandbox/src/isolate/protocol.ts";
import { createPrivateFile } from "../../packages/sandbox/src/isolate/spawner/private-file.ts";
import { startHost } from "../../packages/sandbox/src/isolate/spawner/start-host.ts";
import type { ProbeSetup } from "./probe-host.ts";
import { isHeldBy } from "./probe.ts";
import { ESCAPE_PROBES } from "./probes/all-probes.ts";

export interface ProbeRun {
  kind: LauncherKind;
  /** Whether hosts put the last filter on, as real ones do; without it the outer layers are on their own. */
  lock: boolean;
  secretFile: string;
  /** Names of the probes to run (all of them). */
  only?: readonly string[];
}

export interface ProbeRunReport {
  /** Why no host could be started this way here. */
  unavailable?: string;
  level: string;
  layers: Record<string, boolean>;
  /** What each probe answered, `killed` where the process ended. */
  answers: Record<string, unknown>;
}

const MEMORY_BYTES = 512 * 1024 ** 2;
const UID = 62_000;
const AT_ONCE = 3;
const PROBE_TIMEOUT_MS = 20_000;

const run = JSON.parse(process.argv[2] ?? "{}") as ProbeRun;
const root = process.getuid?.() === 0;
const host = await bundleHostProgram(new URL("probe-host.ts", import.meta.url).pathname);
const jail = await bundleHostProgram(HOST_PROGRAMS.jail);
const launcher = launchersFor({ host, jail }).find(({ kind }) => kind === run.kind);
const threadsMax = hostThreadsMax();
const groups = openHostGroups({ memoryBytes: MEMORY_BYTES, cpus: HOST_CPUS, pids: threadsMax });
const report: ProbeRunReport = { level: "open", layers: {}, answers: {} };
let started = 0;

const probes = Object.values(ESCAPE_PROBES)
  .flat()
  .filter((probe) => run.only?.includes(probe.name) ?? true);
try {
  // The first host tells which layers are on: what none of them holds is not tried on this machine.
  await probeOneHost(probes.filter((probe) => probe.alone !== true).map((probe) => probe.name));
  const alone = probes.filter((probe) => probe.alone === true && isHeldBy(probe, report.layers));
  const names = alone.map((probe) => probe.name);
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let name = names.shift(); name !== undefined; name = names.shift()) await probeOneHost([name]);
    }),
  );
} catch (error) {
  report.unavailable = error instanceof Error ? error.message : String(error);
}
await groups.close();
process.stdout.write(JSON.stringify(report));

async function probeOneHost(names: readonly string[]): Promise<void> {
  if (launcher === undefined) throw new Error(`${run.kind} is not there`);
  const uid = root ? UID + started++ : null;
  const group = await groups.create();
  using marker = createPrivateFile(new Uint8Array(MARKER_BYTES));
  const probed = await startHost({
    launcher,
    uid,
    markerPath: marker.path,
    groupFiles: group.processFiles,
  });
  const lines = createInterface({ input: probed.link })[Symbol.asyncIterator]();
  const ended = once(probed.process, "exit");
  probed.process.stderr?.on("data", (chunk: Buffer) => process.stderr.write(chunk));
  const ask = async (value: unknown): Promise<unknown> => {
    probed.link.write(`${JSON.stringify(value)}\n`);
    const timer = sleep(PROBE_TIMEOUT_MS, "no answer", { ref: false });
    const line = await Promise.race([lines.next(), timer]);
    if (typeof line === "string") return { answer: line };
    return line.done === true ? { answer: "killed" } : JSON.parse(line.value);
  };
  const setup: ProbeSetup = {
    close: { ...closeOptions(run.kind, { uid, threadsMax, parentPid: process.pid }), lock: run.lock },
    parentPid: process.pid,
    secretFile: run.secretFile,
  };
  const closed = (await ask(setup)) as Parameters<typeof judgeLayers>[0]["closed"];
  const layers = judgeLayers({
    closed,
    account: readProcessAccount(probed.pid),
    launcher: run.kind,
    controllers: groups.controllers,
    ownUid: process.getuid?.() ?? -1,
    linux: true,
  });
  report.level = levelOf(layers);
  report.layers = Object.fromEntries(layers.map((layer) => [layer.name, layer.on]));
  group.limitCpu();
  for (const name of names) {
    report.answers[name] = ((await ask({ probe: name })) as { answer: unknown }).answer;
  }
  try {
    process.kill(probed.pid, "SIGKILL");
  } catch {
    // A probe ended it.
  }
  await ended;
  group.remove();
}

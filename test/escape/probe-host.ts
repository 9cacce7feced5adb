/**
 * A host in which code broke out of its isolate. It is started by the launchers of real hosts, closes itself by the very
 * module of theirs, and then runs what it is told of the probes, one line of JSON each way. Hosts of the platform have no
 * way to be told such a thing.
 */
import { Socket } from "node:net";
import { createInterface } from "node:readline";
import { openSystemCalls } from "../../packages/sandbox/src/isolate/closing/system-calls.ts";
import { type CloseHostOptions, closeHost } from "../../packages/sandbox/src/isolate/host/close-host.ts";
import { HOST_FDS } from "../../packages/sandbox/src/isolate/protocol.ts";
import type { ProbeContext } from "./probe.ts";
import { ESCAPE_PROBES } from "./probes/all-probes.ts";

/** What the probing host is told first. */
export interface ProbeSetup {
  close: CloseHostOptions;
  parentPid: number;
  secretFile: string;
}

const link = new Socket({ fd: HOST_FDS.link, readable: true, writable: true });
const say = (value: unknown): void => void link.write(`${JSON.stringify(value)}\n`);
const probes = new Map(
  Object.values(ESCAPE_PROBES)
    .flat()
    .map((probe) => [probe.name, probe]),
);
let context: ProbeContext | undefined;

createInterface({ input: link }).on("line", (line) => {
  const told = JSON.parse(line) as ProbeSetup | { probe: string };
  if ("close" in told) {
    const system = openSystemCalls();
    if (system !== undefined) context = { ...told, system };
    say(closeHost(told.close, () => {}));
  } else if (context !== undefined) {
    const probe = probes.get(told.probe);
    const given = context;
    void (async () => say({ answer: await probe?.run(given) }))();
  }
});
link.on("close", () => process.exit(1));

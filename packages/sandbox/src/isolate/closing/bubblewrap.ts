import { existsSync } from "node:fs";
import type { RuntimeFiles } from "./runtime-files.ts";

/** Descriptors bubblewrap itself takes, behind those of the host. */
export const BUBBLEWRAP_FDS = { filter: 5, block: 6, status: 7 } as const;

const PLACES = ["/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap", "/run/current-system/sw/bin/bwrap"];
const NOBODY = "65534";
const NAMESPACES = [
  "--unshare-ipc",
  "--unshare-pid",
  "--unshare-net",
  "--unshare-uts",
  "--unshare-cgroup-try",
];
const USER = ["--unshare-user", "--disable-userns", "--uid", NOBODY, "--gid", NOBODY, "--cap-drop", "ALL"];
const PROCESS = ["--as-pid-1", "--die-with-parent", "--new-session", "--clearenv", "--hostname", "sandbox"];

/** @returns where bubblewrap is installed, in folders that only the system writes */
export const findBubblewrap = (): string | undefined => PLACES.find((path) => existsSync(path));

export interface BubblewrapOptions {
  files: RuntimeFiles;
  command: readonly string[];
}

/**
 * The arguments that close a host from outside: namespaces of its own, a read-only root with nothing but Node
 * and the program, no `/proc` and no `/dev`, no environment, no capabilities, the launch filter.
 *
 * The host is the first process of its namespace: bubblewrap's own first process would carry our environment and
 * be under the filter.
 */
export function bubblewrapArguments({ files, command }: BubblewrapOptions): string[] {
  const reads = [...files.libraries, files.node, ...files.program];
  const binds = reads.flatMap((path) => ["--ro-bind", path, path]);
  const { filter, block, status } = BUBBLEWRAP_FDS;
  const held = ["--seccomp", `${filter}`, "--block-fd", `${block}`, "--json-status-fd", `${status}`];
  return [
    ...NAMESPACES,
    ...USER,
    ...PROCESS,
    ...binds,
    "--remount-ro",
    "/",
    "--chdir",
    "/",
    ...held,
    "--",
    ...command,
  ];
}

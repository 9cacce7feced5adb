import { findBubblewrap } from "./bubblewrap.ts";
import { runtimeFiles, type RuntimeFiles } from "./runtime-files.ts";

export type LauncherKind = "bubblewrap" | "self-jail" | "plain";

interface LauncherBase {
  files: RuntimeFiles;
  /** Node and its arguments, as they run a host. */
  command: readonly string[];
}

/** A way to start a host, as closed as it gets. */
export type Launcher = LauncherBase &
  (
    | { kind: "bubblewrap"; bubblewrap: string }
    | { kind: "self-jail"; jail: readonly string[] }
    | { kind: "plain" }
  );

export interface LaunchersOptions {
  host: { file: string; sources: readonly string[] };
  jail: { file: string };
  /** Kinds to leave out, for tests of what a machine without them does. */
  without?: readonly LauncherKind[];
  /** Path of bubblewrap (where it is installed by the system). */
  bubblewrap?: string;
}

const NODE_FLAGS = ["--disable-warning=ExperimentalWarning"];
/** OpenSSL ends a process whose configuration exists and cannot be read. */
const JAILED_FLAGS = [...NODE_FLAGS, "--openssl-config=/dev/null"];

/** @returns the ways to start a host on this machine, the most closed first; whether each works shows when it is tried */
export function launchersFor(options: LaunchersOptions): Launcher[] {
  const { host, jail, without = [] } = options;
  const files = runtimeFiles(host.file, host.sources);
  const { node } = files;
  const base = { files, command: [node, ...NODE_FLAGS, host.file] };
  const launchers: Launcher[] = [];
  const bubblewrap = process.platform === "linux" ? (options.bubblewrap ?? findBubblewrap()) : undefined;
  if (bubblewrap !== undefined) {
    launchers.push({ ...base, kind: "bubblewrap", bubblewrap });
  }
  if (process.platform === "linux") {
    const reads = [node, ...files.libraries, ...files.program, "/dev/null"];
    const jailed = JSON.stringify({ command: [node, ...JAILED_FLAGS, host.file], reads });
    launchers.push({ ...base, kind: "self-jail", jail: [node, ...NODE_FLAGS, jail.file, jailed] });
  }
  launchers.push({ ...base, kind: "plain" });
  return launchers.filter(({ kind }) => !without.includes(kind));
}

import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { PlatformError } from "@sous/contract";
import type { StartedHost } from "./host-sandbox.ts";

/**
 * Starts a host process: no environment, no file descriptors but its link and its marker, standard error on
 * a pipe for the reason of a crash.
 * @param entry the file to run, see `hostEntry`
 */
export function startHost(entry: string): StartedHost {
  const marker = openMarker();
  try {
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", entry], {
      env: {},
      cwd: "/",
      stdio: ["ignore", "ignore", "pipe", "pipe", marker.writeFd],
      windowsHide: true,
    });
    if (child.pid === undefined) {
      closeSync(marker.readFd);
      child.on("error", () => {});
      throw new PlatformError(
        "CS_INTERNAL",
        "a sandbox host could not be started; see the limits on processes and memory",
      );
    }
    return { process: child, link: child.stdio[3] as Duplex, markerFd: marker.readFd };
  } finally {
    closeSync(marker.writeFd);
  }
}

/** A small file without a name: the host writes it, we read it, nobody else can reach it. */
function openMarker(): { writeFd: number; readFd: number } {
  const folder = mkdtempSync(join(tmpdir(), "sous-"));
  const path = join(folder, "marker");
  const writeFd = openSync(path, "w", 0o600);
  const readFd = openSync(path, "r");
  rmSync(folder, { recursive: true });
  return { writeFd, readFd };
}

import type { ChildProcess } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { PlatformError } from "@sous/contract";
import { BUBBLEWRAP_FDS } from "./bubblewrap.ts";

const STATUS_BYTES_MAX = 64 * 1024;
const DETAIL_LENGTH_MAX = 500;

/**
 * Waits until bubblewrap has made the host's process, which it holds back, and lets it go.
 * @param hold what to do with the process before it runs
 * @returns the host's process id as this process sees it
 * @throws CS_INTERNAL with what bubblewrap said when it ends instead
 */
export function readHostPid(bubblewrap: ChildProcess, hold: (pid: number) => void): Promise<number> {
  // The types of Node know five of them.
  const streams: readonly (Readable | Writable | null | undefined)[] = bubblewrap.stdio;
  const status = streams[BUBBLEWRAP_FDS.status] as Readable;
  const block = streams[BUBBLEWRAP_FDS.block] as Writable;
  // bubblewrap may end before it reads.
  block.on("error", () => {});
  status.on("error", () => {});
  return new Promise((resolve, reject) => {
    let text = "";
    let said = "";
    const onSaid = (chunk: Buffer): void => void (said += chunk.toString("latin1"));
    const onExit = (): void => {
      const detail = said.trim().slice(-DETAIL_LENGTH_MAX) || "it said nothing";
      reject(new PlatformError("CS_INTERNAL", `a sandbox host could not be closed: ${detail}`));
    };
    bubblewrap.stderr?.on("data", onSaid);
    // All it said has arrived by then.
    bubblewrap.once("close", onExit);
    bubblewrap.once("error", onExit);
    status.on("data", (chunk: Buffer) => {
      if (text.length > STATUS_BYTES_MAX) return;
      text += chunk.toString("latin1");
      const pid = Number(/"child-pid":\s*(\d+)/.exec(text)?.[1] ?? 0);
      if (pid === 0) return;
      status.removeAllListeners("data").resume();
      bubblewrap.off("close", onExit).off("error", onExit);
      bubblewrap.stderr?.off("data", onSaid);
      try {
        hold(pid);
        block.end("x");
        resolve(pid);
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  });
}

import type { ChildProcess } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { PlatformError } from "@sous/contract";
import { BUBBLEWRAP_FDS } from "./bubblewrap.ts";

const STATUS_BYTES_MAX = 64 * 1024;
const DETAIL_LENGTH_MAX = 500;

/** @returns the process id of the host bubblewrap has made and holds back, as this process sees it */
export function readHostPid(bubblewrap: ChildProcess): Promise<number> {
  const status = streamOf(bubblewrap, BUBBLEWRAP_FDS.status) as Readable;
  status.on("error", () => {});
  return new Promise((resolve) => {
    let text = "";
    status.on("data", (chunk: Buffer) => {
      if (text.length > STATUS_BYTES_MAX) return;
      text += chunk.toString("latin1");
      const pid = Number(/"child-pid":\s*(\d+)/.exec(text)?.[1] ?? 0);
      if (pid === 0) return;
      status.removeAllListeners("data").resume();
      resolve(pid);
    });
  });
}

/** Lets the host run that bubblewrap holds back. */
export function letHostRun(bubblewrap: ChildProcess): void {
  const block = streamOf(bubblewrap, BUBBLEWRAP_FDS.block) as Writable;
  // bubblewrap may end before it reads.
  block.on("error", () => {});
  block.end("x");
}

/**
 * Waits for work on a process that has to live until it is done.
 * @throws CS_INTERNAL with what the process said when it ends instead
 */
export async function whileAlive<T>(child: ChildProcess, work: Promise<T>): Promise<T> {
  let said = "";
  const onSaid = (chunk: Buffer): void => void (said += chunk.toString("latin1"));
  child.stderr?.on("data", onSaid);
  const ended = Promise.withResolvers<never>();
  const onEnd = (): void => {
    const detail = said.trim().slice(-DETAIL_LENGTH_MAX) || "it said nothing";
    ended.reject(new PlatformError("CS_INTERNAL", `a sandbox host could not be closed: ${detail}`));
  };
  // All it said has arrived by then.
  child.once("close", onEnd);
  child.once("error", onEnd);
  try {
    const result = await Promise.race([work, ended.promise]);
    if (child.exitCode === null && child.signalCode === null) return result;
    return await ended.promise;
  } finally {
    child.off("close", onEnd).off("error", onEnd);
    child.stderr?.off("data", onSaid);
  }
}

/** The types of Node know five of them. */
function streamOf(child: ChildProcess, fd: number): Readable | Writable | null | undefined {
  const streams: readonly (Readable | Writable | null | undefined)[] = child.stdio;
  return streams[fd];
}

import type { ChildProcess } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "@sous/contract/errors";
import { BUBBLEWRAP_FDS } from "./bubblewrap.ts";

const STATUS_BYTES_MAX = 64 * 1024;
const DETAIL_LENGTH_MAX = 500;
const WORK_TIMEOUT_MS = 10_000;
const LAST_WORDS_MS = 100;

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
 * @throws CS_INTERNAL with what the process said when it ends instead, also where the work failed for that, and when the
 *   work takes too long
 */
export async function whileAlive<T>(
  child: ChildProcess,
  work: Promise<T>,
  timeoutMs = WORK_TIMEOUT_MS,
): Promise<T> {
  let said = "";
  let late: NodeJS.Timeout | undefined;
  const onSaid = (chunk: Buffer): void => void (said += chunk.toString("latin1"));
  child.stderr?.on("data", onSaid);
  const ended = Promise.withResolvers<never>();
  const fail = (why: string): void =>
    ended.reject(new PlatformError("CS_INTERNAL", `a sandbox host could not be closed: ${why}`));
  // All it said has arrived by then.
  const onEnd = (): void => fail(said.trim().slice(-DETAIL_LENGTH_MAX) || "it said nothing");
  // What it leaves behind may hold the pipe open: then what has arrived soon after is all.
  const onExit = (): void => void (late = setTimeout(onEnd, LAST_WORDS_MS));
  child.once("close", onEnd).once("error", onEnd).once("exit", onExit);
  const timer = setTimeout(() => fail(`not done after ${timeoutMs} ms`), timeoutMs);
  try {
    const result = await Promise.race([orLastWords(work), ended.promise]);
    if (child.exitCode === null && child.signalCode === null) return result;
    return await ended.promise;
  } finally {
    clearTimeout(timer);
    clearTimeout(late);
    child.off("close", onEnd).off("error", onEnd).off("exit", onExit);
    child.stderr?.off("data", onSaid);
  }
}

/** Work on a process that has just ended fails before its end is told: that end is the reason then. */
async function orLastWords<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    await sleep(2 * LAST_WORDS_MS);
    throw error;
  }
}

/** The types of Node know five of them. */
function streamOf(child: ChildProcess, fd: number): Readable | Writable | null | undefined {
  const streams: readonly (Readable | Writable | null | undefined)[] = child.stdio;
  return streams[fd];
}

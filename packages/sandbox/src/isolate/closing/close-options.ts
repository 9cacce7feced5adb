import { availableParallelism } from "node:os";
import type { CloseHostOptions } from "../host/close-host.ts";
import type { LauncherKind } from "./launchers.ts";

/** A host has about ten threads, and isolated-vm adds one for each processor. */
const THREADS_BASE = 64;

/** @returns the threads one host may have on this machine */
export const hostThreadsMax = (): number => THREADS_BASE + 2 * availableParallelism();

/**
 * Tells a host what is left for itself to do, by how it was started.
 * @param given.uid the user it shall be, `null` when this process may not choose
 * @param given.parentPid the process it ends with
 */
export function closeOptions(
  kind: LauncherKind,
  { uid, threadsMax, parentPid }: { uid: number | null; threadsMax: number; parentPid: number },
): CloseHostOptions {
  return {
    uid: kind === "bubblewrap" ? null : uid,
    parentPid: kind === "bubblewrap" ? null : parentPid,
    // Without a user of its own its threads are counted together with everything else of ours.
    threadsMax: uid !== null || kind === "bubblewrap" ? threadsMax : null,
    lock: kind !== "plain",
  };
}

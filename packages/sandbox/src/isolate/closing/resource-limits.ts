import type { SystemCalls } from "./system-calls.ts";

/** Resources by the kernel's numbers. */
const RESOURCE = {
  fileBytes: 1,
  coreBytes: 4,
  threads: 6,
  openFiles: 7,
  lockedBytes: 8,
  queuedSignals: 11,
  messageBytes: 12,
  nice: 13,
  realtime: 14,
} as const;

/** What a host may take of the kernel's other resources; memory and time are for control group and supervisor. */
export const HOST_RLIMITS = {
  /** The marker file has twelve bytes. */
  fileBytes: 4096,
  coreBytes: 0,
  openFiles: 64,
  lockedBytes: 0,
  queuedSignals: 64,
  messageBytes: 0,
  nice: 0,
  realtime: 0,
} as const;

/**
 * Lowers this process's resource limits, hard and soft, which cannot be taken back without privileges.
 * @param threadsMax threads and processes of this user; `null` where the user is shared with others
 * @returns whether the kernel took all of them
 */
export function limitResources(system: SystemCalls, threadsMax: number | null): boolean {
  const limits: [number, number][] = Object.entries(HOST_RLIMITS).map(([name, value]) => [
    RESOURCE[name as keyof typeof HOST_RLIMITS],
    value,
  ]);
  if (threadsMax !== null) limits.push([RESOURCE.threads, threadsMax]);
  return limits.map(([resource, value]) => setLimit(system, resource, value)).every((answer) => answer === 0);
}

/** Tries to give itself more open files than it was left with. @returns the kernel's answer */
export const raiseOpenFiles = (system: SystemCalls): number =>
  setLimit(system, RESOURCE.openFiles, HOST_RLIMITS.openFiles * 2);

function setLimit(system: SystemCalls, resource: number, value: number): number {
  const limit = Buffer.alloc(16);
  limit.writeBigUInt64LE(BigInt(value), 0);
  limit.writeBigUInt64LE(BigInt(value), 8);
  return system.call("prlimit64", 0, resource, limit, 0);
}

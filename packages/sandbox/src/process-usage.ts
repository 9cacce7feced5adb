import { readFileSync } from "node:fs";

const PAGE_BYTES = 4096;

/** @returns resident memory of a process in bytes; 0 where it cannot be told (another system, a dead process) */
export function memoryOf(pid: number): number {
  if (process.platform !== "linux") return 0;
  try {
    const resident = readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1];
    return Number(resident) * PAGE_BYTES;
  } catch {
    return 0;
  }
}

/**
 * @returns milliseconds of the processor that the main thread of a process has had; `undefined` where it cannot be told
 * (another system, a kernel without the figure, a dead process)
 */
export function processorTimeOf(pid: number): number | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    const nanoseconds = Number.parseInt(readFileSync(`/proc/${pid}/schedstat`, "latin1"), 10);
    return nanoseconds > 0 ? nanoseconds / 1e6 : undefined;
  } catch {
    return undefined;
  }
}

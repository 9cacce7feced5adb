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

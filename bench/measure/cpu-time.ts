import { readdirSync, readFileSync } from "node:fs";

const TICK_MS = 10;

/** @returns processor time a process and its live descendants have used, in milliseconds (Linux) */
export function cpuTimeMs(rootPid: number): number {
  const children = new Map<number, number[]>();
  const ticks = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, "latin1");
      const rest = fields.slice(fields.lastIndexOf(")") + 2).split(" ");
      const parent = Number(rest[1]);
      ticks.set(pid, Number(rest[11]) + Number(rest[12]));
      children.set(parent, [...(children.get(parent) ?? []), pid]);
    } catch {
      // It ended while we looked.
    }
  }
  let sum = 0;
  const queue = [rootPid];
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    sum += ticks.get(pid) ?? 0;
    queue.push(...(children.get(pid) ?? []));
  }
  return sum * TICK_MS;
}

/** @returns resident memory of a process and its live descendants, in MiB, each page counted for each process */
export function residentMiB(pids: readonly number[]): number {
  let pages = 0;
  for (const pid of pids) {
    try {
      pages += Number(readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1]);
    } catch {
      // It ended while we looked.
    }
  }
  return (pages * 4096) / (1024 * 1024);
}

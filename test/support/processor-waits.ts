import { readFileSync } from "node:fs";
import { descendantsOf } from "./process-tree.ts";

const EVERY_MS = 20;
/** Some minutes of samples. */
const SAMPLES_MAX = 10_000;

interface Sample {
  sinceMs: number;
  atMs: number;
  /** What the platform's processes waited for a processor since the sample before, together. */
  waitedMs: number;
}

export interface ProcessorWaits extends Disposable {
  /** @returns how long the platform was kept from running between two times of the system's clock */
  between(fromMs: number, toMs: number): number;
}

/**
 * Tells what a platform waited for a processor that others had, as the kernel counts it, and how late a timer of
 * this process was at worst: on a machine without a free core every process is late, and that is not the platform's.
 */
export function watchProcessorWaits(pid: number): ProcessorWaits {
  let waits = waitsOf(pid);
  let atMs = Date.now();
  const samples: Sample[] = [];
  const timer = setInterval(() => {
    const sinceMs = atMs;
    const now = waitsOf(pid);
    atMs = Date.now();
    let waitedNs = 0;
    for (const [id, wait] of now) waitedNs += wait - (waits.get(id) ?? 0);
    waits = now;
    // A machine that stood still did so for everybody.
    const lateMs = Math.max(0, atMs - sinceMs - EVERY_MS);
    samples.push({ sinceMs, atMs, waitedMs: Math.max(lateMs, waitedNs / 1e6) });
    if (samples.length > SAMPLES_MAX) samples.shift();
  }, EVERY_MS);
  return {
    between(fromMs, toMs) {
      const within = samples.filter(({ sinceMs, atMs }) => atMs > fromMs && sinceMs < toMs);
      return Math.round(within.reduce((sum, { waitedMs }) => sum + waitedMs, 0));
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

/** @returns nanoseconds in the run queue of the main thread of a process and of those below it, by process id */
function waitsOf(pid: number): Map<number, number> {
  const waits = new Map<number, number>();
  for (const id of [pid, ...descendantsOf(pid)]) {
    try {
      waits.set(id, Number(readFileSync(`/proc/${id}/schedstat`, "utf8").split(" ")[1]));
    } catch {
      // It has ended meanwhile.
    }
  }
  return waits;
}

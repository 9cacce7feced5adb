import { readFileSync } from "node:fs";
import { descendantsOf } from "./process-tree.ts";

const EVERY_MS = 20;
/** Some minutes of samples. */
const SAMPLES_MAX = 10_000;

interface Sample {
  sinceMs: number;
  atMs: number;
  /** What the process that waited longest waited for a processor since the sample before. */
  waitedMs: number;
}

export interface ProcessorWaits extends Disposable {
  /** @returns how long the platform was kept from running between two times of the system's clock, in milliseconds */
  between(fromMs: number, toMs: number): number;
}

/**
 * Tells what the main threads of a platform waited for a processor that others had, as the kernel counts it: on a
 * machine without a free core every process is late, and that is not the platform's.
 */
export function watchProcessorWaits(pid: number): ProcessorWaits {
  let waits = waitsOf(pid);
  let atMs = Date.now();
  const samples: Sample[] = [];
  const timer = setInterval(() => {
    const sinceMs = atMs;
    const now = waitsOf(pid);
    atMs = Date.now();
    let longestNs = 0;
    for (const [id, wait] of now) longestNs = Math.max(longestNs, wait - (waits.get(id) ?? 0));
    waits = now;
    samples.push({ sinceMs, atMs, waitedMs: Math.min(longestNs / 1e6, atMs - sinceMs) });
    if (samples.length > SAMPLES_MAX) samples.shift();
  }, EVERY_MS);
  return {
    between(fromMs, toMs) {
      let waitedMs = 0;
      for (const sample of samples) {
        const withinMs = Math.min(sample.atMs, toMs) - Math.max(sample.sinceMs, fromMs);
        if (withinMs > 0) waitedMs += Math.min(sample.waitedMs, withinMs);
      }
      return Math.round(waitedMs);
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

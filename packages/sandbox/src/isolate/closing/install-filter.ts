import ffi from "node:ffi";
import type { SystemCalls } from "./system-calls.ts";

const SET_MODE_FILTER = 1;
const FLAG_TSYNC = 1;

/**
 * Puts a filter on this process for good; needs no new privileges to have been given up.
 * @param scope `process` for every thread at once, `thread` for the calling one, which is all there is after an exec
 * @returns 0, a negative error number, or the thread that could not be closed
 */
export function installFilter(system: SystemCalls, filter: Uint8Array, scope: "process" | "thread"): number {
  const INSTRUCTION_BYTES = 8;
  const program = Buffer.alloc(16);
  program.writeUInt16LE(filter.length / INSTRUCTION_BYTES, 0);
  program.writeBigUInt64LE(BigInt(ffi.getRawPointer(filter)), 8);
  return system.call("seccomp", SET_MODE_FILTER, scope === "process" ? FLAG_TSYNC : 0, program);
}

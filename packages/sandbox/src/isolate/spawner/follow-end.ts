import type { ChildProcess } from "node:child_process";
import { constants } from "node:os";

/** How a host process ended. */
export interface HostEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The end of what it wrote to standard error. */
  detail: string;
}

const STDERR_TAIL_BYTES = 8192;
const SIGNALLED = 128;

/** @param child a host, or a launcher that ends as it does @param onEnd called once */
export function followEnd(child: ChildProcess, onEnd: (end: HostEnd) => void): void {
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString("latin1")).slice(-STDERR_TAIL_BYTES);
  });
  child.stderr?.on("error", () => {});
  child.on("error", () => {});
  child.once("exit", (code, signal) => {
    const ended = signalOf(code);
    onEnd({ code: ended === undefined ? code : null, signal: signal ?? ended ?? null, detail: said.trim() });
  });
}

/** A launcher ends with 128 and the number of the signal that ended the host, as shells do. */
function signalOf(code: number | null): NodeJS.Signals | undefined {
  if (code === null || code <= SIGNALLED) return undefined;
  const found = Object.entries(constants.signals).find(([, number]) => number === code - SIGNALLED);
  return found?.[0] as NodeJS.Signals | undefined;
}

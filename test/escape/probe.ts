import type { SystemCalls } from "../../packages/sandbox/src/isolate/closing/system-calls.ts";

/** What a probe sees: plain Node in the position of a host, and the bare system calls. */
export interface ProbeContext {
  system: SystemCalls;
  /** Process id of whoever started the host, as that knows itself. */
  parentPid: number;
  /** A file only the platform may read, with `SECRET` in it. */
  secretFile: string;
}

/**
 * One thing that code which broke out of its isolate would try, as arbitrary code in the host's process. What it answers with is
 * the error it met, or what it got: `EPERM`, `done`, a list. `killed` stands for the end of the process.
 */
export interface EscapeProbe {
  name: string;
  run(context: ProbeContext): unknown;
  /** Answers that are right in a host that has closed itself for good. */
  locked: readonly unknown[];
  /**
   * Answers that are right while only what the launcher put around is on: how the outer layers do if the last filter had a
   * hole. The same as `locked` where it is not given; `null` where the probe asks nothing of them.
   */
  launched?: readonly unknown[] | null;
  /** Whether the probe may end the process or take all there is, and so needs a host for itself. */
  alone?: boolean;
  /** Layers of which one at least must be on for the probe to be held, by their names in `cs doctor`. */
  needs?: readonly string[];
}

/** @returns whether a host with these layers is expected to hold a probe */
export const isHeldBy = (probe: EscapeProbe, layers: Readonly<Record<string, boolean>>): boolean =>
  probe.needs === undefined || probe.needs.some((name) => layers[name] === true);

const ERRORS: Record<number, string> = {
  1: "EPERM",
  2: "ENOENT",
  3: "ESRCH",
  9: "EBADF",
  11: "EAGAIN",
  13: "EACCES",
  14: "EFAULT",
  20: "ENOTDIR",
  22: "EINVAL",
  30: "EROFS",
  38: "ENOSYS",
};

/** @returns the name of the error a system call answered with, `done` when it worked */
export const answerOf = (result: number): string =>
  result >= 0 ? "done" : (ERRORS[-result] ?? `error ${-result}`);

/** @returns the code of what was thrown, or what `attempt` returned */
export async function attempt(work: () => unknown): Promise<unknown> {
  try {
    return (await work()) ?? "done";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

/** A string as the kernel takes it. */
export const text = (value: string): Buffer => Buffer.from(`${value}\0`);

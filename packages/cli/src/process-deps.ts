import type { CliDeps } from "./cli-deps.ts";

/** How long what a platform could not close in time may hold the process, milliseconds. */
const LEAVE_MS = 500;

/** @returns the parts of a real process that commands touch */
export function createProcessDeps(process: NodeJS.Process): CliDeps {
  // A reader that went away (`cs … | head`) ends the command without a word.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  let stop: AbortController | undefined;
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    now: Date.now,
    // The platform is large; commands that only speak HTTP never load it.
    loadPlatform: async () => (await import("./load-platform.ts")).loadPlatform(),
    stopSignal() {
      if (stop !== undefined) return stop.signal;
      const controller = new AbortController();
      stop = controller;
      for (const signal of ["SIGINT", "SIGTERM"] as const) {
        process.on(signal, () => {
          // Whoever asks twice does not want to wait for a clean end.
          if (controller.signal.aborted) process.exit(130);
          controller.abort();
        });
      }
      return controller.signal;
    },
    onKey(listener) {
      const { stdin } = process;
      if (!stdin.isTTY) return undefined;
      const hear = (data: Buffer): void => {
        for (const key of data.toString("utf8")) listener(key);
      };
      stdin.setRawMode(true);
      stdin.resume();
      stdin.on("data", hear);
      return () => {
        stdin.off("data", hear);
        stdin.setRawMode(false);
        stdin.pause();
      };
    },
    leave: () => void setTimeout(() => process.exit(), LEAVE_MS).unref(),
    exitWith: (code) => void (process.exitCode = code),
  };
}

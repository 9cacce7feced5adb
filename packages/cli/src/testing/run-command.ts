import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PlatformPort } from "../platform-port.ts";
import { runCli } from "../run-cli.ts";

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  stdin?: string;
  /** Whether stdout is a terminal (false). */
  tty?: boolean;
  /** Keys that are pressed, with standard input a terminal. */
  keys?: string;
  signal?: AbortSignal;
  platform?: Partial<PlatformPort>;
  /** Called with everything written to stdout so far. */
  onOutput?(stdout: string): void;
}

export interface RunResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs one command line as `bin/cs.js` would, in this process, and keeps what it wrote. */
export async function runCommand(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  let stdout = "";
  let stderr = "";
  const { tty = false, stdin = "" } = options;
  const never = new AbortController().signal;
  const platform: Partial<PlatformPort> = options.platform ?? {};
  const code = await runCli(argv, {
    stdin: Object.assign(readOnce(stdin), { isTTY: options.keys !== undefined }),
    stdout: {
      isTTY: tty,
      columns: 100,
      write(text: string) {
        stdout += text;
        options.onOutput?.(stdout);
      },
    },
    stderr: { isTTY: false, write: (text: string) => void (stderr += text) },
    env: { HOME: "/nonexistent", NO_COLOR: "1", ...options.env },
    cwd: options.cwd ?? "/nonexistent",
    now: () => 1_780_000_100_000,
    loadPlatform: async () => platform as PlatformPort,
    stopSignal: () => options.signal ?? never,
    onKey(listener) {
      if (options.keys === undefined) return undefined;
      for (const key of options.keys) listener(key);
      return () => undefined;
    },
    leave: () => undefined,
    exitWith: () => undefined,
  });
  return { code, stdout, stderr };
}

async function* readOnce(text: string): AsyncGenerator<Uint8Array> {
  if (text !== "") yield Buffer.from(text);
}

/** A folder for one test, gone afterwards. */
export async function temporaryFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), "sous-cli-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

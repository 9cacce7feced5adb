import type { PlatformPort } from "./platform-port.ts";

/** A place to write text, as `process.stdout` is one. */
export interface TextSink {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** Where to read from, as `process.stdin` is one. */
export interface TextSource extends AsyncIterable<Uint8Array | string> {
  readonly isTTY?: boolean | undefined;
}

/** Everything of the process that a command touches. */
export interface CliDeps {
  stdin: TextSource;
  stdout: TextSink;
  stderr: TextSink;
  env: Readonly<Record<string, string | undefined>>;
  /** Relative paths of the command line start here. */
  cwd: string;
  /** Epoch milliseconds. */
  now(): number;
  /** Loads the platform; only `dev`, `serve`, `doctor`, `config print` and `fn test` need it. */
  loadPlatform(): Promise<PlatformPort>;
  /** @returns a signal that fires with Ctrl-C or SIGTERM; until it is asked for, those end the process at once */
  stopSignal(): AbortSignal;
  /**
   * Reads single keys while a command runs.
   * @returns a function that gives the keyboard back, or `undefined` without a terminal
   */
  onKey(listener: (key: string) => void): (() => void) | undefined;
  /** Says that the command is over but for its last words: the process ends soon, whatever is still open. */
  leave(): void;
  /** Sets what the process ends with when the command itself succeeds (0). */
  exitWith(code: number): void;
}

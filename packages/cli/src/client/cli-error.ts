/** Exit codes of `cs` (SPEC 14). */
export const EXIT = { ok: 0, client: 1, server: 2, functionFailed: 3 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface CliErrorOptions {
  /** What the process ends with (1). */
  exitCode?: ExitCode;
  /** Code of the error catalogue, where a server sent one. */
  code?: string;
  requestId?: string;
  /** What to do next, where the message does not say it. */
  hint?: string;
  details?: Record<string, unknown>;
  cause?: unknown;
}

/** A failure that ends a command: how to say it, and the exit code. */
export class CliError extends Error {
  readonly exitCode: ExitCode;
  readonly code: string | undefined;
  readonly requestId: string | undefined;
  readonly hint: string | undefined;
  readonly details: Record<string, unknown> | undefined;

  constructor(message: string, options: CliErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "CliError";
    this.exitCode = options.exitCode ?? EXIT.client;
    this.code = options.code;
    this.requestId = options.requestId;
    this.hint = options.hint;
    this.details = options.details;
  }
}

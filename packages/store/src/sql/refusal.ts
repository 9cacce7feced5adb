import type { ErrorCode } from "@sous/contract";

/** Why a command or a batch was not carried out, in a form that crosses threads. */
export interface RefusalData {
  code: ErrorCode;
  message: string;
}

/**
 * Thrown by a command that cannot be carried out; undoes that command alone.
 * Not a PlatformError: the write thread loads nothing it does not need, and the error is made anew on the
 * main thread anyway, where its stack says something.
 */
export class Refusal extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string) {
    super(message);
    this.name = "Refusal";
    this.code = code;
  }
}

/** @returns the text of whatever was thrown */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

import type { FunctionError, FunctionResult, PlatformError, TerminalStatus } from "@sous/contract";
import type { TerminalRecord } from "@sous/store";

/** What goes back to whoever waits for an activation: the result as it is, never cut. */
export interface InvocationReply {
  activation_id: string;
  version: number;
  status: TerminalStatus;
  duration_ms: number;
  cold: boolean;
  result: FunctionResult | undefined;
  error: FunctionError | undefined;
  /** It ended before and is answered from its record. */
  replayed: boolean;
  /** Why the record that was to come first is not on disk; then the outcome must not be told. */
  unrecorded?: PlatformError;
}

/** @returns the reply that repeats a stored record */
export function replyOf(record: TerminalRecord, replayed: boolean): InvocationReply {
  return {
    activation_id: record.activation_id,
    version: record.resolved_version,
    status: record.status,
    duration_ms: record.duration_ms ?? 0,
    cold: record.cold,
    result: record.result,
    error: record.error,
    replayed,
  };
}

import { type DestinationStream, type Logger as Pino, pino } from "pino";
import { redact, scrubText } from "./redact.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a line is about; values under names of secrets are redacted, an error goes under `error`. */
export interface LogFields {
  request_id?: string;
  tenant?: string;
  namespace?: string;
  function?: string;
  activation_id?: string;
  error?: unknown;
  [field: string]: unknown;
}

/** Writes one line of JSON a call. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** @returns a logger that adds these fields to each of its lines */
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  /** The role that writes: `all`, `control`, `gateway`, … */
  service: string;
  level: LogLevel;
  /** Epoch milliseconds. */
  clock: () => number;
  /** Where lines go (standard output, each written at once). */
  destination?: DestinationStream;
}

/**
 * Makes the logger of a process: JSON lines with `ts_ms`, `level` as text, `service`, `message`. Fields named
 * like secrets are redacted at any depth, in texts whatever looks like a credential; errors are written with
 * code, stack and causes, without their foreign fields.
 */
export function createLogger({ service, level, clock, destination }: LoggerOptions): Logger {
  const base = pino(
    {
      level,
      base: { service },
      messageKey: "message",
      timestamp: () => `,"ts_ms":${clock()}`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination ?? pino.destination({ dest: 1, sync: true }),
  );
  return wrap(base);
}

// pino cleans neither the fields of children nor messages; this does, and only for lines that are written.
function wrap(base: Pino): Logger {
  const at = (level: "debug" | "info" | "warn" | "error") => (fields: LogFields, message: string) => {
    if (base.isLevelEnabled(level)) base[level](redact(fields), scrubText(message));
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => wrap(base.child(redact(fields) as Record<string, unknown>)),
  };
}

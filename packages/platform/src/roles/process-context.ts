import { LIMITS, type Limits } from "@sous/contract";
import type { Config } from "../config/config-schema.ts";
import type { Role } from "../config/role.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Metrics } from "../telemetry/metrics.ts";

/** What every part of a process is made with. */
export interface ProcessContext {
  readonly config: Config;
  readonly roles: ReadonlySet<Role>;
  readonly limits: Limits;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Whether the process is shutting down. */
  readonly draining: () => boolean;
  /** Hears of faults nobody waits for. */
  readonly onFault: (error: unknown, requestId?: string) => void;
  /** Hears of what an operator should change. */
  readonly onWarning: (text: string) => void;
}

/** @returns every limit, as the settings have it */
export const limitsOf = (config: Config): Limits => ({ ...LIMITS, ...config.limits }) as Limits;

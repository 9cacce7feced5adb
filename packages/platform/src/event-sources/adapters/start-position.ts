import type { EventSourceRecord } from "@sous/contract";

/**
 * Where a new source begins: at the moment it was made, for `latest`, so that nothing is missed until it is read.
 * @returns epoch milliseconds, or `undefined` for the oldest there is
 */
export function startMsOf({ start_position, created_at_ms }: EventSourceRecord): number | undefined {
  if (start_position === "latest") return created_at_ms;
  return start_position === "trim_horizon" ? undefined : start_position.at_ms;
}

import type { DeadLetterOptions } from "@sous/codeq";
import { TOPICS } from "@sous/contract";
import type { Metrics } from "../telemetry/metrics.ts";

/** Between two warnings, milliseconds: a function that always fails drops a letter with each call. */
const WARN_EVERY_MS = 600_000;
const KNOWN: ReadonlySet<string> = new Set(Object.values(TOPICS));

export interface DroppedLettersOptions {
  metrics: Pick<Metrics, "counter">;
  now: () => number;
  /** Hears of what an operator should change. */
  onWarning: (text: string) => void;
}

/** @returns what counts dead letters that went for a bound, and says so once in a while */
export function countDroppedLetters({
  metrics,
  now,
  onWarning,
}: DroppedLettersOptions): NonNullable<DeadLetterOptions["onDeadLettersDropped"]> {
  const dropped = metrics.counter(
    "cs_dead_letters_dropped_total",
    "Dead letters that were dropped for their age, or as the oldest of a tenant that has too many",
    ["topic"],
  );
  let warnedAtMs = -Infinity;
  let unsaid = 0;
  return (topic, count) => {
    dropped.child({ topic: KNOWN.has(topic) ? topic : "other" }).value += count;
    unsaid += count;
    if (now() - warnedAtMs < WARN_EVERY_MS) return;
    warnedAtMs = now();
    onWarning(
      `${unsaid} dead letters were dropped, the last of ${topic}: they are kept for limits.dead_letter_ttl_ms, and as many of a tenant as limits.dead_letters_per_tenant_max and limits.dead_letters_per_tenant_bytes_max say; redrive or purge them (cs dlq)`,
    );
    unsaid = 0;
  };
}

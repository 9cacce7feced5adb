import { LIMITS, type Limits } from "@sous/contract";

/** How many dead letters a tenant may have in a topic; past a bound his oldest ones go. */
export interface DeadLetterBounds {
  /** How long one is kept, milliseconds. */
  ttlMs: number;
  countMax: number;
  /** Bytes of their bodies as text. */
  bytesMax: number;
}

export interface DeadLetterOptions {
  /** (those of `LIMITS`) */
  deadLetters?: DeadLetterBounds | undefined;
  /** Hears how many dead letters of a topic went for a bound (nobody). */
  onDeadLettersDropped?: ((topic: string, count: number) => void) | undefined;
}

/** @returns the bounds that limits set */
export const deadLetterBounds = (limits: Limits): DeadLetterBounds => ({
  ttlMs: limits.deadLetterTtlMs,
  countMax: limits.deadLettersPerTenantMax,
  bytesMax: limits.deadLettersPerTenantBytesMax,
});

export const DEAD_LETTER_BOUNDS: DeadLetterBounds = deadLetterBounds(LIMITS);

/** How often a queue looks for dead letters that are kept for too long, milliseconds. */
export const trimEveryMs = ({ ttlMs }: DeadLetterBounds): number =>
  Math.min(60_000, Math.max(100, Math.floor(ttlMs / 4)));

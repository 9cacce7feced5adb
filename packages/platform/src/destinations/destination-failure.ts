/** Why a delivery did not succeed, and whether another try makes sense. */
export interface DestinationFailure {
  reason: string;
  /** Nothing will change by itself: it is a dead letter at once. */
  final: boolean;
  /** How long the receiver asked to be left alone, in milliseconds. */
  retryAfterMs?: number;
}

export const finalFailure = (reason: string): DestinationFailure => ({ reason, final: true });

export const passingFailure = (reason: string, retryAfterMs?: number): DestinationFailure =>
  retryAfterMs === undefined ? { reason, final: false } : { reason, final: false, retryAfterMs };

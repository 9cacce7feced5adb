/** Takes activity tasks from Cadence for every enabled worker, and answers them when their activations have ended. */
export interface CadencePoller extends AsyncDisposable {
  /** Says that workers changed: they are read again at once. */
  wake(): void;
  /** Takes no more tasks; those at work are still answered. */
  drain(timeoutMs: number): Promise<void>;
  /** Tasks at work, and workers that poll. */
  readonly figures: { inflight: number; workers: number };
}

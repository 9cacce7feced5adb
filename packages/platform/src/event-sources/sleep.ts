/** Waits. Resolves early when the signal is aborted; never rejects. */
export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>;

/** The sleep of a process; it does not keep the process alive. */
export const sleep: Sleep = (ms, signal) => {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(wake, ms).unref();
  signal.addEventListener("abort", wake, { once: true });
  function wake(): void {
    clearTimeout(timer);
    signal.removeEventListener("abort", wake);
    resolve();
  }
  return promise;
};

/**
 * Full jitter: anywhere between nothing and a ceiling that doubles with each failure.
 * @param failures in a row, from 1
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export const backoffMs = (failures: number, baseMs: number, mostMs: number, random: () => number): number =>
  Math.floor(random() * Math.min(mostMs, baseMs * 2 ** Math.min(30, failures - 1)));

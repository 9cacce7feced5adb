import { LRUCache } from "lru-cache";

export interface RateLimiterOptions {
  /** Tokens that come back in a second, more than 0. */
  ratePerSecond: number;
  /** Tokens a full bucket holds: how much may come at once (the rate, at least 1). */
  burst?: number;
  /** Epoch milliseconds. */
  clock: () => number;
  /** Most keys remembered (10,000); the one used longest ago is forgotten first, as if its bucket were full. */
  maxKeys?: number;
  /**
   * @returns among how many processes rate and burst are shared out, this one among them: each gives its part, and at
   *   least one at once (1)
   */
  sharers?: () => number;
}

/** A token bucket for each key, in bounded memory. */
export interface RateLimiter {
  /** Takes one token. @returns `true`, or after how many seconds there will be one */
  take(key: string): true | number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

export function createRateLimiter(options: RateLimiterOptions): RateLimiter {
  const { ratePerSecond, clock, maxKeys = 10_000, burst = ratePerSecond, sharers = () => 1 } = options;
  const buckets = new LRUCache<string, Bucket>({ max: maxKeys });

  return {
    take(key) {
      const nowMs = clock();
      const parts = sharers();
      const full = Math.max(1, burst / parts);
      let bucket = buckets.get(key);
      if (bucket === undefined) {
        bucket = { tokens: full, atMs: nowMs };
        buckets.set(key, bucket);
      } else if (nowMs > bucket.atMs) {
        const back = ((nowMs - bucket.atMs) * ratePerSecond) / (1000 * parts);
        bucket.tokens = Math.min(full, bucket.tokens + back);
        bucket.atMs = nowMs;
      } else if (nowMs < bucket.atMs) {
        // The clock was set back: count on from here rather than wait for it to catch up.
        bucket.atMs = nowMs;
      }
      if (bucket.tokens >= 1) {
        bucket.tokens -= 1;
        return true;
      }
      return ((1 - bucket.tokens) * parts) / ratePerSecond;
    },
  };
}

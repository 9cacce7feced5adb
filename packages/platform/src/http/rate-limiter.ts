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
  const { ratePerSecond, clock, maxKeys = 10_000 } = options;
  const burst = Math.max(1, options.burst ?? ratePerSecond);
  const ratePerMs = ratePerSecond / 1000;
  const buckets = new LRUCache<string, Bucket>({ max: maxKeys });

  return {
    take(key) {
      const nowMs = clock();
      let bucket = buckets.get(key);
      if (bucket === undefined) {
        bucket = { tokens: burst, atMs: nowMs };
        buckets.set(key, bucket);
      } else if (nowMs > bucket.atMs) {
        bucket.tokens = Math.min(burst, bucket.tokens + (nowMs - bucket.atMs) * ratePerMs);
        bucket.atMs = nowMs;
      } else if (nowMs < bucket.atMs) {
        // The clock was set back: count on from here rather than wait for it to catch up.
        bucket.atMs = nowMs;
      }
      if (bucket.tokens >= 1) {
        bucket.tokens -= 1;
        return true;
      }
      return (1 - bucket.tokens) / ratePerSecond;
    },
  };
}

import type { PlatformError } from "@sous/contract";
import type { DeadLetterOptions } from "../dead-letter-bounds.ts";
import type { BodyCodec } from "../memory/durable-log.ts";

export interface RedisCodeQOptions<Body, Result> extends DeadLetterOptions {
  /** `redis[s]://[user:password@]host[:port][/db][?prefix=…&shards=…]`, the same for all processes of a cluster. */
  url: string;
  /** Now, in epoch milliseconds: by it publishers' times are told; leases and delays run by the server's clock. */
  clock: () => number;
  /** How bodies become text (JSON). */
  codec?: BodyCodec<Body> | undefined;
  /** How results become text (JSON). */
  resultCodec?: BodyCodec<Result> | undefined;
  /** Non-durable dead letters kept for each shard of a topic (1,000); the oldest make room. */
  deadVolatileMax?: number | undefined;
  /** Largest body as text, in characters (16 Mi). */
  bodyLengthMax?: number | undefined;
  /** From 0 to 1, spreads reconnects (Math.random). */
  random?: (() => number) | undefined;
  /** Hears of what an operator should change about the server (nobody). */
  onWarning?: ((text: string) => void) | undefined;
  /** Hears of failures that no caller waits for, and of the beginning of each outage (nobody). */
  onError?: ((error: PlatformError) => void) | undefined;
}

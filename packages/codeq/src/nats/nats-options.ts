import type { PlatformError } from "@sous/contract";
import type { DeadLetterOptions } from "../dead-letter-bounds.ts";
import type { BodyCodec } from "../memory/durable-log.ts";

export interface NatsCodeQOptions<Body, Result> extends DeadLetterOptions {
  /** `nats[s]://[user:password@]host[:port][?prefix=…&replicas=…]`, the same for all processes of a cluster. */
  url: string;
  /** Now, in epoch milliseconds. Leases and delays run by the clock of the process that coordinates. */
  clock: () => number;
  /** How bodies become text (JSON). */
  codec?: BodyCodec<Body> | undefined;
  /** How results become text (JSON). */
  resultCodec?: BodyCodec<Result> | undefined;
  /** Largest body as text, in characters (16 Mi); the server's `max_payload` bounds it as well. */
  bodyLengthMax?: number | undefined;
  /** From 0 to 1, spreads reconnects and elections (Math.random). */
  random?: (() => number) | undefined;
  /** Hears of what an operator should change about the server (nobody). */
  onWarning?: ((text: string) => void) | undefined;
  /** Hears of failures that no caller waits for, and of the beginning of each outage (nobody). */
  onError?: ((error: PlatformError) => void) | undefined;
}

import type { CodeQ } from "../codeq.ts";
import { RedisCodeQ } from "./redis-codeq.ts";
import type { RedisCodeQOptions } from "./redis-options.ts";

/**
 * Opens the queue that lies in a Redis or KVRocks server, for any number of gateways and invokers.
 *
 * - A publish is one round trip, several at a time share one. It settles when the server has the message: what a
 *   `kill -9` of the server leaves is a matter of its append-only file (docs/guides/operations.md).
 * - Claims bring up to 64 messages; a consumer is woken by the server, never by asking again and again. What it
 *   refuses goes back to the front of its lane.
 * - While the server is away, publishing is refused at once; ends of claims are said when it is back, as long as
 *   the lease may hold. A claim whose lease was lost cannot end anything.
 *
 * @throws CS_VALIDATION_FAILED for a URL that cannot be, CS_CODEQ_PUBLISH_FAILED when the server cannot be reached
 */
export async function createRedisCodeQ<Body, Result>(
  options: RedisCodeQOptions<Body, Result>,
): Promise<CodeQ<Body, Result>> {
  return await RedisCodeQ.open(options);
}

import type { CodeQ } from "../codeq.ts";
import { NatsCodeQ } from "./nats-codeq.ts";
import type { NatsCodeQOptions } from "./nats-options.ts";

/**
 * Opens the queue that lies in a NATS server with JetStream, for any number of gateways and invokers.
 *
 * - One of the processes that open it coordinates: it holds every message in memory and writes each step into a log in
 *   JetStream before anybody hears of it. When it ends another one reads the log and goes on, at once or, where it fell
 *   silent, after some seconds; two can never write.
 * - A publish settles when the log has the message. Work is sent to consumers as they say what they take.
 * - While the server is away, publishing is refused at once; ends of claims are said when it is back, as long as the
 *   lease may hold. A claim whose lease was lost cannot end anything.
 *
 * @throws CS_VALIDATION_FAILED for a URL that cannot be, CS_CODEQ_PUBLISH_FAILED when the server cannot be reached or
 *   has no JetStream
 */
export async function createNatsCodeQ<Body, Result>(
  options: NatsCodeQOptions<Body, Result>,
): Promise<CodeQ<Body, Result>> {
  return await NatsCodeQ.open(options);
}

import type { FastifyRequest } from "fastify";
import type { ControlContext } from "./control-context.ts";
import type { EventStream } from "./event-stream.ts";

/** Feeds an open stream; a failure after its start can only end it, so that the client comes back. */
export async function runStream(
  { logger }: Pick<ControlContext, "logger">,
  request: FastifyRequest,
  stream: EventStream,
  feed: () => Promise<void>,
): Promise<never> {
  try {
    await feed();
  } catch (error) {
    if (!stream.closed.aborted) logger.warn({ request_id: request.id, error }, "an event stream failed");
  } finally {
    stream.end();
  }
  // The framework has let go of the answer: there is nothing to return.
  return undefined as never;
}

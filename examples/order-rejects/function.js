/**
 * Is told by a destination of orders that were given up, and keeps each with the reason for whoever looks after them.
 * The word of an end may come twice; a reject is kept under its order's id, so that it is there once.
 */
export default async function handle({ requestContext, requestPayload, responsePayload }) {
  if (requestContext?.destination !== "on_failure") throw new TypeError("only failures are kept here");
  const kept = [];
  for (const { cloudEvent } of requestPayload.Records) {
    const reject = { order: cloudEvent.data, reason: responsePayload.errorMessage };
    await cs.kv.set(`rejects/${cloudEvent.id}`, { ...reject, activation: requestContext.activation_id });
    kept.push(cloudEvent.id);
  }
  cs.log.info({ message: "rejects kept", kept });
  return { kept };
}

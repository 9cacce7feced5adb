/**
 * Takes orders from an event source, each a CloudEvent. An order that makes no sense is reported alone: the source
 * tries it again, gives it up in the end, and tells its destination, while the others are done.
 */
export default async function handle({ Records }) {
  const batchItemFailures = [];
  const taken = [];
  for (const { messageId, cloudEvent } of Records) {
    const problem = problemOf(cloudEvent.data);
    if (problem !== undefined) {
      cs.log.warn({ message: "order refused", order: cloudEvent.id, problem });
      batchItemFailures.push({ itemIdentifier: messageId });
      continue;
    }
    const { customer, cents } = cloudEvent.data;
    // The same order again is written again, and is the same order.
    await cs.kv.set(`orders/${cloudEvent.id}`, { customer, cents });
    taken.push({ id: cloudEvent.id, customer, cents });
  }
  return { batchItemFailures, taken };
}

function problemOf(order) {
  if (typeof order?.customer !== "string" || order.customer === "") return "it names no customer";
  if (!Number.isSafeInteger(order.cents) || order.cents <= 0) return "cents is no positive whole number";
  return undefined;
}

import { type CodeQ } from "@sous/codeq";
import { newMessageId, PlatformError } from "@sous/contract";
import { userTopic, type UserTopicBody } from "../events/user-topic.ts";

const DEPTH_MAX = 10_000;
/** What is too old makes room for others, so many at a time. */
const DISCARDED_MAX = 100;
const MAX_AGE_MS = 24 * 3600 * 1000;

/** What a function publishes: payload as JSON text, under its own tenant and namespace. */
export interface UserMessage {
  tenant: string;
  namespace: string;
  topic: string;
  payloadJson: string;
  /** How many functions called one another up to whoever takes it. */
  depth: number;
  /** The activation that publishes it, or whose end it tells. */
  activationId: string;
  /** (a new one) */
  id?: string;
}

/**
 * Publishes messages of functions. Their topics live apart from the platform's, by tenant and namespace.
 * @returns a function that resolves when the message is durable. @throws CS_QUEUE_FULL
 */
export function createUserTopics(
  codeq: Pick<CodeQ<unknown, unknown>, "publish" | "discard">,
  clock: () => number,
) {
  return async function publish(message: UserMessage): Promise<void> {
    const { tenant, namespace, topic, payloadJson, depth, activationId } = message;
    const now = clock();
    const published = {
      id: message.id ?? newMessageId(),
      topic: userTopic(tenant, namespace, topic),
      tenant,
      lane: `${namespace}/${topic}`,
      body: { payload_json: payloadJson, depth, published_by: activationId } satisfies UserTopicBody,
      attempt: 1,
      enqueued_at_ms: now,
      due_at_ms: 0,
      expires_at_ms: now + MAX_AGE_MS,
    };
    const options = { depthMax: DEPTH_MAX, durable: true };
    try {
      await codeq.publish(published, options);
    } catch (error) {
      if (!(error instanceof PlatformError) || error.code !== "CS_QUEUE_FULL") throw error;
      // Without a consumer nobody takes away what is too old.
      if ((await codeq.discard(published.topic, "expired", DISCARDED_MAX)) === 0) throw error;
      await codeq.publish(published, options);
    }
  };
}

import { LIMITS } from "@sous/contract";
import type { PowerScope } from "./host-powers.ts";
import { badArgument, capabilityDenied, printJson, quoted, textArgument } from "./parse-arguments.ts";

/** A message a function publishes. Topics of functions live under tenant and namespace. */
export interface TopicMessage {
  tenant: string;
  namespace: string;
  topic: string;
  payloadJson: string;
  /** The activation that published it. */
  activationId: string;
  /** How many functions called one another up to whoever takes it. */
  depth: number;
}

export type PublishTopic = (message: TopicMessage) => Promise<void>;

const TOPIC = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Answers `cs.codeq.publish` with JSON text. */
export async function callCodeq(
  publish: PublishTopic,
  scope: PowerScope,
  args: readonly unknown[],
): Promise<string> {
  const call = "cs.codeq.publish";
  const topic = textArgument(call, "topic", args[0]);
  if (!TOPIC.test(topic))
    throw badArgument(call, "topic must be 1–128 of A-Z a-z 0-9 . _ -, a letter or digit first");
  if (isPlatformTopic(topic)) throw capabilityDeniedForPlatform(call, topic);
  if (!coversTopic(scope.capabilities.codeq.publish_topics, topic)) {
    const cure = `add ${quoted(topic)} to capabilities.codeq.publishTopics`;
    throw capabilityDenied(call, `the topic ${quoted(topic)} is not allowed`, cure);
  }
  if (args.length < 2) throw badArgument(call, "payload is missing");
  const payloadJson = printJson(call, "payload", args[1], LIMITS.codeqPayloadBytesMax);
  const { tenant, namespace, activationId } = scope;
  await publish({ tenant, namespace, topic, payloadJson, activationId, depth: scope.depth + 1 });
  return "null";
}

/** @returns whether a topic is one no function may publish to */
export const isPlatformTopic = (topic: string): boolean => /^cs(?:\.|$)/i.test(topic);

/** @returns whether a topic is on the list, as it is or by a pattern that ends in `*` */
export const coversTopic = (patterns: readonly string[], topic: string): boolean =>
  patterns.some((pattern) =>
    pattern.endsWith("*") ? topic.startsWith(pattern.slice(0, -1)) : topic === pattern,
  );

const capabilityDeniedForPlatform = (call: string, topic: string) =>
  capabilityDenied(call, `the topic ${quoted(topic)} is the platform's own`, "use and declare another topic");

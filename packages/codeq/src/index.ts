export type {
  CodeQ,
  Consumer,
  DeadFilter,
  DeadHeading,
  DeadLetter,
  Delivery,
  DiscardedMessages,
  LaneDepth,
  Message,
  FoundMessage,
  MessageFilter,
  MessageLookup,
  MessagePage,
  MessagePlace,
  PublishOptions,
  ReplyChannel,
  Subscription,
} from "./codeq.ts";
export { type DeadLetterBounds, deadLetterBounds, type DeadLetterOptions } from "./dead-letter-bounds.ts";
export type { SetTimer } from "./memory/alarm.ts";
export { createMemoryCodeQ, type MemoryCodeQOptions } from "./memory/create-memory-codeq.ts";
export type { BodyCodec } from "./memory/durable-log.ts";

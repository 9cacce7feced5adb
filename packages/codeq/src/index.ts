export type {
  CodeQ,
  Consumer,
  DeadFilter,
  DeadHeading,
  DeadLetter,
  Delivery,
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
export type { SetTimer } from "./memory/alarm.ts";
export { createMemoryCodeQ, type MemoryCodeQOptions } from "./memory/create-memory-codeq.ts";
export type { BodyCodec } from "./memory/durable-log.ts";
export { createNatsCodeQ } from "./nats/create-nats-codeq.ts";
export type { NatsCodeQOptions } from "./nats/nats-options.ts";
export { createRedisCodeQ } from "./redis/create-redis-codeq.ts";
export type { RedisCodeQOptions } from "./redis/redis-options.ts";

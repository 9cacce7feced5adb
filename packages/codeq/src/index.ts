export type {
  CodeQ,
  Consumer,
  DeadLetter,
  Delivery,
  LaneDepth,
  Message,
  PublishOptions,
  ReplyChannel,
  Subscription,
} from "./codeq.ts";

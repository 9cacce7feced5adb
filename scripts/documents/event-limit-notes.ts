import type { Limits } from "@sous/contract";
import type { LimitNote } from "./limit-note.ts";

const WEBHOOKS = "test/triggers/webhooks.ts";
const EVENT_SOURCE = [
  "packages/platform/src/control/event-sources.test.ts",
  "what is not valid is refused with its code",
] as const;

type EventLimit = Extract<keyof Limits, `event${string}`>;

/** The limits of event sources. */
export const EVENT_LIMIT_NOTES: Readonly<Record<EventLimit, LimitNote>> = {
  eventSourcesPerNamespaceMax: {
    what: "event sources of a namespace",
    past: "409",
    code: "packages/platform/src/control/event-source-command.ts",
  },
  eventBatchMax: { what: "`batch_size` of an event source", past: "400", test: EVENT_SOURCE },
  eventBatchBytesMax: {
    what: "messages of an event source in one call, as JSON, unless one alone is larger",
    past: "the next call",
    code: "packages/platform/src/event-sources/run-partition.ts",
  },
  eventBodyBytesMax: {
    what: "body of a webhook",
    past: "413",
    test: [WEBHOOKS, "a webhook of 1 MiB is taken, one byte more is 413"],
  },
  eventFiltersMax: { what: "filters of an event source", past: "400", test: EVENT_SOURCE },
  eventDepthMax: {
    what: "messages of topics and webhooks that wait for an event source",
    past: "429; a topic keeps its messages",
    code: "packages/platform/src/events/inbox.ts",
  },
};

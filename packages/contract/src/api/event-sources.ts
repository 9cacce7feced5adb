import Type, { type Static } from "typebox";
import {
  EVENT_SOURCE_TYPES,
  EventRetry,
  eventSourceFields,
  EventSourceRecord,
  EventSourceStatus,
} from "../event-source.ts";
import { ResourceName } from "../names.ts";
import { pageOf } from "./paging.ts";

const closed = { additionalProperties: false } as const;
const { ref, retry: _whole, ...rest } = eventSourceFields;
const { ordering_key, on_failure } = rest;
const optional = Type.Partial(Type.Object({ ...rest, retry: Type.Partial(EventRetry, closed) })).properties;

/** Body of `POST …/event-sources`: name, type, function, and the part that its type is named after. */
export const CreateEventSourceBody = Type.Object(
  { name: ResourceName, type: Type.Enum([...EVENT_SOURCE_TYPES]), ref, ...optional },
  closed,
);
export type CreateEventSourceBody = Static<typeof CreateEventSourceBody>;

/** Body of `PATCH …/event-sources/{name}`: what changes. */
export const PatchEventSourceBody = Type.Object(
  {
    ...optional,
    ordering_key: Type.Optional(
      Type.Union([Type.Null(), ordering_key], { description: "null: none any more" }),
    ),
    on_failure: Type.Optional(Type.Union([Type.Null(), on_failure], { description: "null: none any more" })),
    ref: Type.Optional(ref),
    generation: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: "As it was read: a change of somebody else's in between is a conflict",
      }),
    ),
  },
  { ...closed, minProperties: 1 },
);
export type PatchEventSourceBody = Static<typeof PatchEventSourceBody>;

const Generation = Type.Integer({ minimum: 1, description: "Counts changes by its owner" });

/** One of `GET …/event-sources`. */
export const EventSourceItem = Type.Object(
  { ...EventSourceRecord.properties, generation: Generation },
  closed,
);
export type EventSourceItem = Static<typeof EventSourceItem>;

/** Answer of POST, GET and PATCH of an event source. */
export const EventSourceReply = Type.Object(
  {
    ...EventSourceItem.properties,
    url: Type.Optional(Type.String({ description: "Of webhooks: the path to send to" })),
    warnings: Type.Array(Type.String(), { description: "What will not work yet, a line each" }),
  },
  closed,
);
export type EventSourceReply = Static<typeof EventSourceReply>;

/** Answer of `GET …/event-sources`: by name, ascending. */
export const EventSourcePage = pageOf(EventSourceItem);
export type EventSourcePage = Static<typeof EventSourcePage>;

/** Answer of `GET …/event-sources/{name}/status`. */
export const EventSourceStatusReply = Type.Object(
  { name: Type.String(), ...EventSourceStatus.properties },
  closed,
);
export type EventSourceStatusReply = Static<typeof EventSourceStatusReply>;

/** Answer of `POST /v1/events/{tenant}/{namespace}/{source}`: what was taken, by the ids the function will see. */
export const EventsAcceptedReply = Type.Object({ accepted: Type.Array(Type.String()) }, closed);
export type EventsAcceptedReply = Static<typeof EventsAcceptedReply>;

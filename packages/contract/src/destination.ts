import Type, { type Static } from "typebox";

const closed = { additionalProperties: false } as const;

/** Text of a reference: `name`, `name@alias` or `name@17`. */
const FunctionRefText = Type.String({
  pattern: "^[a-z][a-z0-9_-]{2,63}(@([a-z][a-z0-9_-]{1,31}|[1-9][0-9]{0,9}))?$",
  description: "name, name@alias or name@version, in the same namespace",
});

export const CLOUDEVENTS_FORMATS = ["cloudevents-binary", "cloudevents-structured"] as const;
/** How a CloudEvent is written: attributes in headers, or all of it in the body. */
export type CloudEventsFormat = (typeof CLOUDEVENTS_FORMATS)[number];

/** Where the end of an asynchronous activation is told: one of a function, a topic and a webhook. */
export const Destination = Type.Union([
  Type.Object({ function: FunctionRefText }, closed),
  Type.Object(
    {
      topic: Type.String({
        pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
        description: "Topic of the namespace",
      }),
      format: Type.Optional(
        // A message of a topic has no headers.
        Type.Literal("cloudevents-structured", {
          description: "The message is a CloudEvent 1.0 in its JSON format (the record itself)",
        }),
      ),
    },
    closed,
  ),
  Type.Object(
    {
      webhook: Type.Object(
        {
          url: Type.String({ pattern: "^https?://", maxLength: 2048 }),
          secret: Type.Optional(
            Type.String({
              minLength: 1,
              maxLength: 256,
              description: "Name of the secret, or kv:tenant/namespace/name; its value begins with whsec_",
            }),
          ),
          format: Type.Optional(
            Type.Enum([...CLOUDEVENTS_FORMATS], {
              description: "The request carries a CloudEvent 1.0 in this content mode (the record itself)",
            }),
          ),
        },
        closed,
      ),
    },
    closed,
  ),
]);
export type Destination = Static<typeof Destination>;

/** Where ends go, as the version said when the call was queued. */
export const Destinations = Type.Object(
  { on_success: Type.Optional(Destination), on_failure: Type.Optional(Destination) },
  closed,
);
export type Destinations = Static<typeof Destinations>;

export const DESTINATION_CONDITIONS = ["on_success", "on_failure"] as const;
export type DestinationCondition = (typeof DESTINATION_CONDITIONS)[number];

/** @returns a destination for people: `function report@prod`, `topic orders.done`, `webhook https://…` */
export function describeDestination(destination: Destination): string {
  if ("function" in destination) return `function ${destination.function}`;
  if ("topic" in destination) return `topic ${destination.topic}`;
  return `webhook ${destination.webhook.url}`;
}

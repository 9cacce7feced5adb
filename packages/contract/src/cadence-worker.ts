import Type, { type Static } from "typebox";
import { FunctionRef } from "./invocation.ts";
import { LIMITS } from "./limits.ts";

const closed = { additionalProperties: false } as const;
const TimeMs = Type.Integer({ minimum: 0 });
const NAME_CHARACTERS_MAX = 128;
const ACTIVITY_TYPES_MAX = 256;
const POLLERS_MAX = 256;
const INFLIGHT_MAX = 100_000;

export const ACTIVITY_RESULTS = ["envelope", "body"] as const;
/** What Cadence is told of a success: the whole result as JSON, or its body's bytes alone. */
export type ActivityResult = (typeof ACTIVITY_RESULTS)[number];

const Name = (description: string) =>
  Type.String({ minLength: 1, maxLength: NAME_CHARACTERS_MAX, description });

/** The fields of a Cadence worker that its owner sets, each with its bounds. */
export const cadenceWorkerFields = {
  domain: Name("Cadence domain"),
  tasklist: Name("Task list whose activity tasks it takes"),
  worker_id: Name("Identity it gives itself towards Cadence"),
  activity_map: Type.Record(Type.String({ pattern: "^[^\\u0000-\\u001f]{1,256}$" }), FunctionRef, {
    ...closed,
    minProperties: 1,
    maxProperties: ACTIVITY_TYPES_MAX,
    description: "What runs an activity, by its type",
  }),
  pollers: Type.Object(
    { activity: Type.Integer({ minimum: 1, maximum: POLLERS_MAX, description: "Polls open at once (1)" }) },
    closed,
  ),
  limits: Type.Object(
    {
      max_inflight_tasks: Type.Integer({
        minimum: 1,
        maximum: INFLIGHT_MAX,
        description: `Activities at work at once; at the bound it stops polling (${LIMITS.cadenceInflightMax})`,
      }),
    },
    closed,
  ),
  result: Type.Enum([...ACTIVITY_RESULTS], {
    description:
      "What the workflow gets: envelope: statusCode, headers and body as JSON; body: the body alone",
  }),
  enabled: Type.Boolean({ description: "false: paused" }),
};

export const CadenceWorkerRecord = Type.Object(
  {
    tenant: Type.String(),
    namespace: Type.String(),
    name: Type.String(),
    ...cadenceWorkerFields,
    created_at_ms: TimeMs,
    updated_at_ms: TimeMs,
  },
  closed,
);
/** A binding: activity tasks of one task list of a Cadence server, and the functions that do them (SPEC 12). */
export type CadenceWorkerRecord = Static<typeof CadenceWorkerRecord>;

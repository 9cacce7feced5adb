import Type, { type Static } from "typebox";

const closed = { additionalProperties: false } as const;

/** What a power is over. */
export const POWER_KINDS = ["kv", "topic", "http", "secret", "destination", "isolation", "limit"] as const;

export const Power = Type.Object(
  {
    kind: Type.Enum([...POWER_KINDS]),
    what: Type.String({ description: "For people: set orders:*, GET api.example.com/v1/*, …" }),
  },
  closed,
);
/** One thing a version may do, or one limit it may go to. */
export type Power = Static<typeof Power>;

export const PowersDiff = Type.Object(
  {
    against: Type.Union([Type.Integer({ minimum: 1 }), Type.Null()], {
      description: "The version compared with; null where there was none: then every power is new",
    }),
    added: Type.Array(Power),
    removed: Type.Array(Power),
  },
  closed,
);
/** What one version may do and another may not. */
export type PowersDiff = Static<typeof PowersDiff>;

/** Query of `GET …/versions/{n}/powers`. */
export const PowersQuery = Type.Object(
  {
    against: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 32,
        description: "An alias or a version (the version before)",
      }),
    ),
  },
  closed,
);
export type PowersQuery = Static<typeof PowersQuery>;

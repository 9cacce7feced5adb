import Type, { type Static } from "typebox";
import { ActivationAttempt } from "../activation.ts";
import { Destination, DESTINATION_CONDITIONS } from "../destination.ts";
import { FunctionError, FunctionRef, Principal, Trigger } from "../invocation.ts";
import { LIMITS } from "../limits.ts";
import { AliasName, ResourceName, TenantId, VersionNumber } from "../names.ts";
import { pageOf, pageQueryWith } from "./paging.ts";

const closed = { additionalProperties: false } as const;
const TimeMs = Type.Integer({ minimum: 0 });

/** Most dead letters that one redrive or purge deals with. */
export const DEAD_LETTERS_AT_ONCE = 1000;

/** What died: the call of a function, or the word of its end that a destination would not take. */
export const DEAD_LETTER_KINDS = ["invocation", "destination"] as const;
export type DeadLetterKind = (typeof DEAD_LETTER_KINDS)[number];

const Kind = Type.Enum([...DEAD_LETTER_KINDS], {
  description: "invocation: the function failed; destination: its end could not be told",
});
const DeadLetterId = Type.String({
  pattern: "^(dst_)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
  description: "Id of the dead letter: that of its activation, for a destination with dst_ before it",
});

export const DeadLetterParams = Type.Object(
  { tenant: TenantId, namespace: ResourceName, id: DeadLetterId },
  closed,
);
export type DeadLetterParams = Static<typeof DeadLetterParams>;

/** Query of `GET …/dlq`. */
export const ListDeadLettersQuery = pageQueryWith({
  function: Type.Optional(ResourceName),
  kind: Type.Optional(Kind),
});
export type ListDeadLettersQuery = Static<typeof ListDeadLettersQuery>;

const itemFields = {
  id: Type.String(),
  kind: Kind,
  /** The activation it belongs to: `GET …/activations/{id}`. */
  activation_id: Type.String(),
  function: Type.String(),
  attempt: Type.Integer({ minimum: 1 }),
  reason: Type.String(),
  enqueued_at_ms: TimeMs,
  dead_at_ms: TimeMs,
};

/** A dead letter in a list. */
export const DeadLetterItem = Type.Object(itemFields, closed);
export type DeadLetterItem = Static<typeof DeadLetterItem>;

/** Answer of `GET …/dlq`: oldest first, those of functions before those of destinations. */
export const DeadLetterPage = pageOf(DeadLetterItem);
export type DeadLetterPage = Static<typeof DeadLetterPage>;

/** Answer of `GET …/dlq/{id}`: with its event and everything that was tried. */
export const DeadLetterReply = Type.Object(
  {
    ...itemFields,
    ref: FunctionRef,
    principal: Principal,
    /** Of an invocation. */
    trigger: Type.Optional(Trigger),
    /** Of an invocation: the failed attempts before the last one, and the last one's error. */
    attempts: Type.Optional(Type.Array(ActivationAttempt)),
    error: Type.Optional(FunctionError),
    /** Of a destination. */
    condition: Type.Optional(Type.Enum([...DESTINATION_CONDITIONS])),
    destination: Type.Optional(Destination),
    event: Type.Unknown(),
  },
  closed,
);
export type DeadLetterReply = Static<typeof DeadLetterReply>;

const selectFields = {
  ids: Type.Optional(Type.Array(DeadLetterId, { minItems: 1, maxItems: 500, uniqueItems: true })),
  function: Type.Optional(ResourceName),
  all: Type.Optional(Type.Literal(true)),
  kind: Type.Optional(Kind),
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: DEAD_LETTERS_AT_ONCE,
      description: `Most of them in one call, with \`function\` or \`all\` (${DEAD_LETTERS_AT_ONCE})`,
    }),
  ),
  cursor: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: LIMITS.cursorLengthMax,
      description:
        "`next_cursor` of the call before, with `function` or `all`: goes on behind what that one looked at, and takes nothing that died after the first",
    }),
  ),
};

const More = Type.Boolean({ description: "There are more than those of this call" });
const NextCursor = Type.Union([Type.String(), Type.Null()]);

/** Which dead letters are meant: exactly one of `ids`, `function` and `all`; `kind` narrows the last two. */
export const DeadLetterSelection = Type.Object(selectFields, closed);
export type DeadLetterSelection = Static<typeof DeadLetterSelection>;

/** Body of `POST …/dlq:redrive`. */
export const RedriveBody = Type.Object(
  {
    ...selectFields,
    ref: Type.Optional(
      Type.Object({ alias: Type.Optional(AliasName), version: Type.Optional(VersionNumber) }, closed),
    ),
    event: Type.Optional(Type.Unknown({ description: "Instead of the event; with one id" })),
  },
  closed,
);
export type RedriveBody = Static<typeof RedriveBody>;

/** Answer 202 of `POST …/dlq:redrive`. */
export const RedriveReply = Type.Object(
  {
    redriven: Type.Integer({ minimum: 0 }),
    items: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          activation_id: Type.String({ description: "What runs now; its trigger names what it came from" }),
        },
        closed,
      ),
    ),
    failed: Type.Array(
      Type.Object({ id: Type.String(), code: Type.String(), message: Type.String() }, closed),
    ),
    more: More,
    next_cursor: NextCursor,
  },
  closed,
);
export type RedriveReply = Static<typeof RedriveReply>;

/** Answer of `POST …/dlq:purge`. */
export const PurgeReply = Type.Object(
  {
    purged: Type.Integer({ minimum: 0 }),
    more: More,
    next_cursor: NextCursor,
  },
  closed,
);
export type PurgeReply = Static<typeof PurgeReply>;

import Type, { type Static } from "typebox";

const closed = { additionalProperties: false } as const;
const TimeMs = Type.Integer({ minimum: 0 });
const orNull = <S extends Parameters<typeof Type.Union>[0][number]>(schema: S) =>
  Type.Union([schema, Type.Null()]);

export const AUDIT_OUTCOMES = ["success", "refused", "failed", "unknown"] as const;
/**
 * What became of a change: made, refused (4xx), failed (5xx). `unknown` while it is being made, and for good where the
 * platform ended meanwhile.
 */
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];

export const AuditEvent = Type.Object(
  {
    schema: Type.Literal("cs.audit.v1"),
    event_id: Type.String(),
    ts_ms: TimeMs,
    tenant: Type.String(),
    actor: Type.Object(
      {
        sub: Type.String(),
        user_id: Type.Optional(Type.String({ description: "Where the token belongs to a user" })),
        roles: Type.Array(Type.String()),
      },
      closed,
    ),
    action: Type.String({ description: "What was asked, as roles name it: `cs:function:publish`" }),
    type: orNull(Type.String({ description: "What happened: `FunctionPublished`; null where nothing did" })),
    resource: Type.String({ description: "`cs:{tenant}:{namespace}:function/{name}`" }),
    request_id: Type.String(),
    outcome: Type.Enum([...AUDIT_OUTCOMES]),
    status: orNull(Type.Integer({ description: "HTTP status of the answer" })),
    code: orNull(Type.String({ description: "Error code of the answer" })),
    ended_at_ms: orNull(TimeMs),
    data: Type.Record(Type.String(), Type.Unknown()),
  },
  closed,
);
/** Who changed what of the control plane, when, and what became of it. Holds no secret and no payload. */
export type AuditEvent = Static<typeof AuditEvent>;

/** What is known of a change when it is over. */
export type AuditEnd = Pick<
  AuditEvent,
  "type" | "resource" | "outcome" | "status" | "code" | "ended_at_ms" | "data"
>;

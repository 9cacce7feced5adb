import Type, { type Static } from "typebox";
import { AUDIT_OUTCOMES, AuditEvent } from "../audit.ts";
import { pageOf, pageQueryWith } from "./paging.ts";

const Text = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 512, description }));
const Moment = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 0, description: `${description}, epoch milliseconds` }));

/** Query of `GET /v1/tenants/{t}/audit-events`. */
export const ListAuditEventsQuery = pageQueryWith({
  sub: Text("Who made it"),
  action: Text("What was asked: `cs:function:publish`"),
  type: Text("What happened: `FunctionPublished`"),
  resource: Text("Beginning of the resource: `cs:t_default:default:function/hello`"),
  outcome: Type.Optional(Type.Enum([...AUDIT_OUTCOMES])),
  since: Moment("At or after"),
  until: Moment("At or before"),
});
export type ListAuditEventsQuery = Static<typeof ListAuditEventsQuery>;

/** Answer of `GET /v1/tenants/{t}/audit-events`, newest first. A page may hold fewer than its limit, and go on. */
export const AuditEventPage = pageOf(AuditEvent);
export type AuditEventPage = Static<typeof AuditEventPage>;

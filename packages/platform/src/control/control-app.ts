import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { FastifyBaseLogger, FastifyInstance, FastifyTypeProvider } from "fastify";
import type { Static, TSchema } from "typebox";
import type { Action } from "../auth/actions.ts";
import type { Identity } from "../auth/identity.ts";
import type { AuditTrail } from "./audit-trail.ts";

/** Types requests by the very schemas that validate them. */
export interface TypeboxProvider extends FastifyTypeProvider {
  validator: this["schema"] extends TSchema ? Static<this["schema"]> : unknown;
  serializer: this["schema"] extends TSchema ? Static<this["schema"]> : unknown;
}

/** The framework's instance as control uses it. */
export type ControlApp = FastifyInstance<
  Server,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeboxProvider
>;

declare module "fastify" {
  interface FastifyContextConfig {
    /** What the caller must be allowed to do; a route without it needs no token. */
    action?: Action;
  }
  interface FastifyRequest {
    /** Who calls; set where the route has an action. */
    identity: Identity;
    /** Of a request that changes something, from before its change on. */
    auditTrail: AuditTrail | undefined;
  }
}

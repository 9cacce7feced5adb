import {
  EnqueueReply,
  FunctionParams,
  InvokeAcceptedReply,
  InvokeBody,
  InvokeReply,
  PlatformError,
  ResourceName,
  TenantId,
} from "@sous/contract";
import Type from "typebox";
import { answers } from "./answers.ts";
import type { ControlApp } from "./control-app.ts";
import { FUNCTIONS_PATH } from "./function-routes.ts";

const closed = { additionalProperties: false } as const;
const tags = ["invoke"];
const NameParams = Type.Object(
  { name: Type.String({ description: "Name, or name@alias, or name@version" }) },
  closed,
);
const WebParams = Type.Object(
  {
    tenant: TenantId,
    namespace: ResourceName,
    function: ResourceName,
    ref: Type.String({ description: "Alias or version" }),
    "*": Type.String({ description: "Path the function sees" }),
  },
  closed,
);
const Milliseconds = (description: string) => Type.Optional(Type.Integer({ minimum: 0, description }));
const callHeaders = {
  "idempotency-key": Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 128,
      description: "The same key runs once; another body under it is refused with 409",
    }),
  ),
  "x-timeout-ms": Milliseconds("The caller waits no longer than this"),
  traceparent: Type.Optional(Type.String({ description: "W3C trace context, handed to the function" })),
  "x-trace-id": Type.Optional(Type.String({ maxLength: 128, description: "Sent back as it came" })),
};
const delayHeader = {
  "x-delay-ms": Milliseconds("Of queued work: it is not started before so many milliseconds have passed"),
};
const CallHeaders = Type.Object(callHeaders);
const QueueHeaders = Type.Object({ ...callHeaders, ...delayHeader });
const WebHeaders = Type.Object({
  ...callHeaders,
  ...delayHeader,
  prefer: Type.Optional(Type.String({ description: "respond-async: the call is queued, the answer is 202" })),
});
const Anything = Type.Unknown({ description: "What the function returned" });

/**
 * The endpoints that run functions. They are the gateway's, which has each request before the control plane does; here
 * they stand in the OpenAPI document, and say so where there is no gateway. Nothing is parsed on the way.
 */
export function registerInvokeRoutes(app: ControlApp): void {
  const route = { onRequest: refuse, validatorCompiler: () => () => true } as const;
  app.post(
    `${FUNCTIONS_PATH}/:name(^[^:]+)::invoke`,
    {
      ...route,
      schema: {
        tags,
        summary: "Run a function, waiting for its result or not",
        params: FunctionParams,
        headers: QueueHeaders,
        body: InvokeBody,
        response: answers({ 200: InvokeReply, 202: InvokeAcceptedReply }),
      },
    },
    never,
  );
  app.post(
    "/v1/functions/:name(^[^:]+)::invoke",
    {
      ...route,
      schema: {
        tags,
        summary: "Run a function; the body is the event, the answer its output",
        params: NameParams,
        headers: CallHeaders,
        body: Anything,
        response: answers({ 200: Anything }),
      },
    },
    never,
  );
  app.post(
    "/v1/functions/:name(^[^:]+)::enqueue",
    {
      ...route,
      schema: {
        tags,
        summary: "Queue a run of a function; the body is the event",
        params: NameParams,
        headers: QueueHeaders,
        body: Anything,
        response: answers({ 202: EnqueueReply }),
      },
    },
    never,
  );
  app.route({
    ...route,
    method: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    url: "/v1/web/:tenant/:namespace/:function/:ref/*",
    schema: {
      tags,
      summary: "Call a function over the web",
      params: WebParams,
      headers: WebHeaders,
      response: answers({ 200: Anything, 202: InvokeAcceptedReply }),
    },
    handler: never,
  });
}

async function refuse(): Promise<never> {
  throw new PlatformError(
    "CS_NOT_FOUND",
    "this process runs no functions; ask a gateway (`--gateway-url`, SOUS_GATEWAY_URL), `cs cluster status` shows where they are",
  );
}

function never(): never {
  throw new PlatformError("CS_INTERNAL", "the gateway did not take the request");
}

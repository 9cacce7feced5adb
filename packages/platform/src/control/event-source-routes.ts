import {
  CreateEventSourceBody,
  DeletedReply,
  type EventSourceItem,
  EventsAcceptedReply,
  EventSourcePage,
  EventSourceReply,
  EventSourceStatusReply,
  FunctionParams,
  NamespaceParams,
  PageQuery,
  PatchEventSourceBody,
  PlatformError,
} from "@sous/contract";
import Type from "typebox";
import { EVENT_SOURCE_KIND, readEventSource } from "../events/event-resources.ts";
import { answers } from "./answers.ts";
import { audit } from "./audit.ts";
import type { ControlApp } from "./control-app.ts";
import type { ControlContext } from "./control-context.ts";
import {
  createEventSource,
  deleteEventSource,
  describeEventSource,
  findEventSource,
  patchEventSource,
  statusOf,
} from "./event-source-command.ts";
import { pageRequest } from "./page-request.ts";

const PATH = "/v1/tenants/:tenant/namespaces/:namespace/event-sources";
const tags = ["event sources"];

/** Event sources: create, read, change, pause, delete, and how they go. */
export function registerEventSourceRoutes(app: ControlApp, context: ControlContext): void {
  registerReads(app, context);
  registerWebhooks(app);

  app.post(
    PATH,
    {
      config: { action: "cs:eventsource:create" },
      schema: {
        tags,
        summary: "Create an event source: what it reads, and the function that gets it",
        params: NamespaceParams,
        body: CreateEventSourceBody,
        response: answers({ 201: EventSourceReply }),
      },
    },
    async (request, reply) => {
      const created = await createEventSource(context, request.params, request.body);
      audit(context, request, request.params.tenant, "EventSourceCreated", auditOf(created));
      return reply.code(201).send(created);
    },
  );

  app.patch(
    `${PATH}/:name`,
    {
      config: { action: "cs:eventsource:create" },
      schema: {
        tags,
        summary: "Change, pause or resume an event source; it goes on from where it was",
        params: FunctionParams,
        body: PatchEventSourceBody,
        response: answers({ 200: EventSourceReply }),
      },
    },
    async (request, reply) => {
      const changed = await patchEventSource(context, request.params, request.body);
      audit(context, request, request.params.tenant, "EventSourceUpdated", auditOf(changed));
      return reply.send(changed);
    },
  );

  for (const [verb, enabled] of [
    ["pause", false],
    ["resume", true],
  ] as const) {
    app.post(
      `${PATH}/:name(^[^:]+)::${verb}`,
      {
        config: { action: "cs:eventsource:create" },
        schema: {
          tags,
          summary: enabled
            ? "Read a paused event source again, from where it was"
            : "Read an event source no more until it is resumed",
          params: FunctionParams,
          response: answers({ 200: EventSourceReply }),
        },
      },
      async (request, reply) => {
        const changed = await patchEventSource(context, request.params, { enabled });
        audit(context, request, request.params.tenant, "EventSourceUpdated", auditOf(changed));
        return reply.send(changed);
      },
    );
  }

  app.delete(
    `${PATH}/:name`,
    {
      config: { action: "cs:eventsource:delete" },
      schema: {
        tags,
        summary: "Delete an event source with its checkpoints; what it has started goes on",
        params: FunctionParams,
        response: answers({ 200: DeletedReply }),
      },
    },
    async (request, reply) => {
      const { tenant, namespace, name } = request.params;
      await deleteEventSource(context, { tenant, namespace, name });
      audit(context, request, tenant, "EventSourceDeleted", { namespace, event_source: name });
      return reply.send({ status: "deleted" });
    },
  );
}

function registerReads(app: ControlApp, context: ControlContext): void {
  const { store } = context;

  app.get(
    PATH,
    {
      config: { action: "cs:eventsource:read" },
      schema: {
        tags,
        summary: "List the event sources of a namespace",
        params: NamespaceParams,
        querystring: PageQuery,
        response: answers({ 200: EventSourcePage }),
      },
    },
    async ({ params, query }) => {
      const page = await store.resources.list(EVENT_SOURCE_KIND, params, pageRequest(query));
      const items = page.items.map(readEventSource);
      return {
        items: items.map(({ record, generation }) => ({ ...record, generation })),
        next_cursor: page.next_cursor,
      };
    },
  );

  app.get(
    `${PATH}/:name`,
    {
      config: { action: "cs:eventsource:read" },
      schema: {
        tags,
        summary: "Read an event source",
        params: FunctionParams,
        response: answers({ 200: EventSourceReply }),
      },
    },
    async ({ params }) => describeEventSource(context, await findEventSource(context, params)),
  );

  app.get(
    `${PATH}/:name/status`,
    {
      config: { action: "cs:eventsource:read" },
      schema: {
        tags,
        summary: "How an event source goes: state, lag, counts, last error",
        params: FunctionParams,
        response: answers({ 200: EventSourceStatusReply }),
      },
    },
    async ({ params }) => {
      const stored = await findEventSource(context, params);
      return { name: stored.record.name, ...(await statusOf(context, stored)) };
    },
  );
}

/** The way in for webhooks has each of them before the control plane does; here it stands in the OpenAPI document. */
function registerWebhooks(app: ControlApp): void {
  app.post(
    "/v1/events/:tenant/:namespace/:name",
    {
      onRequest: async () => {
        throw new PlatformError("CS_NOT_FOUND", "this process takes no webhooks; ask one that does");
      },
      validatorCompiler: () => () => true,
      schema: {
        tags,
        summary: "Send a webhook, or CloudEvents 1.0 in any of their modes, to an event source",
        params: FunctionParams,
        body: Type.Unknown({ description: "What the sender has to say" }),
        response: answers({ 202: EventsAcceptedReply }),
      },
    },
    () => {},
  );
}

/** What audit keeps. */
function auditOf({
  namespace,
  name,
  type,
  ref,
  enabled,
  generation,
}: EventSourceItem): Record<string, unknown> {
  return { namespace, event_source: name, type, ref, enabled, generation };
}

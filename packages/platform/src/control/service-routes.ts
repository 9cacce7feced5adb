import { HealthReply, ReadyReply } from "@sous/contract";
import Type from "typebox";
import { metricsRefusal } from "../http/metrics-access.ts";
import { answers } from "./answers.ts";
import type { ControlApp } from "./control-app.ts";
import type { ControlContext } from "./control-context.ts";

const tags = ["service"];

/** What operators and their tools ask: alive, ready, metrics. */
export function registerServiceRoutes(app: ControlApp, context: ControlContext): void {
  const { metrics, metricsPublic, readiness } = context;

  app.get(
    "/healthz",
    { schema: { tags, summary: "Whether the process lives", response: answers({ 200: HealthReply }) } },
    async () => ({ status: "ok" }) as const,
  );

  app.get(
    "/readyz",
    {
      schema: {
        tags,
        summary: "Whether the process can work",
        response: answers({ 200: ReadyReply, 503: ReadyReply }),
      },
    },
    async (_request, reply) => {
      const ready = await readiness();
      return reply.code(ready.status === "ready" ? 200 : 503).send(ready);
    },
  );

  app.get(
    "/metrics",
    { schema: { tags, summary: "Metrics for Prometheus", response: answers({ 200: Type.String() }) } },
    async (request, reply) => {
      const refusal = metricsRefusal(request.raw, metricsPublic);
      if (refusal !== undefined) throw refusal;
      const text = await metrics.text();
      return reply.type(metrics.contentType).serializer(String).send(text);
    },
  );
}

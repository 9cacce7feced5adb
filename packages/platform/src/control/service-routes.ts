import { HealthReply, PlatformError, ReadyReply } from "@sous/contract";
import Type from "typebox";
import { answers } from "./answers.ts";
import { createReadinessCheck } from "./check-readiness.ts";
import type { ControlApp } from "./control-app.ts";
import type { ControlContext } from "./control-context.ts";

const tags = ["service"];

/** What operators and their tools ask: alive, ready, metrics. */
export function registerServiceRoutes(app: ControlApp, context: ControlContext): void {
  const { metrics, metricsPublic } = context;
  const checkReadiness = createReadinessCheck(context);

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
        summary: "Whether store and queue take work",
        response: answers({ 200: ReadyReply, 503: ReadyReply }),
      },
    },
    async (_request, reply) => {
      const ready = await checkReadiness();
      return reply.code(ready.status === "ready" ? 200 : 503).send(ready);
    },
  );

  app.get(
    "/metrics",
    { schema: { tags, summary: "Metrics for Prometheus", response: answers({ 200: Type.String() }) } },
    async (request, reply) => {
      // Names of tenants and functions are in there: not for everybody who can reach the port.
      if (!metricsPublic && !isLoopback(request.raw.socket.remoteAddress)) {
        throw new PlatformError(
          "CS_AUTHZ_DENIED",
          "metrics are for this machine only; set metrics_public to change it",
        );
      }
      const text = await metrics.text();
      return reply.type(metrics.contentType).serializer(String).send(text);
    },
  );
}

const isLoopback = (address: string | undefined): boolean =>
  address !== undefined && (address === "::1" || /^(::ffff:)?127\./.test(address));

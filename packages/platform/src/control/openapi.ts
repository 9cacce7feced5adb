import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { ControlApp } from "./control-app.ts";

/** Serves the OpenAPI 3.1 document at `/openapi.json` and its pages at `/docs`, without anything from outside. */
export async function registerOpenapi(app: ControlApp): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "SOUS",
        description: "A functions platform for code nobody has reviewed",
        version: "0.1.0",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      components: { securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
    },
    transform: ({ schema, url, route }) => {
      const isOpen =
        route.config?.action === undefined && !url.includes(":invoke") && !url.includes(":enqueue");
      return { schema: isOpen ? schema : { ...schema, security: [{ bearer: [] }] }, url };
    },
  });
  await app.register(swaggerUi, {
    routePrefix: "/docs",
    staticCSP: true,
    uiConfig: { persistAuthorization: false },
  });
  app.get("/openapi.json", { schema: { hide: true } }, async (_request, reply) =>
    reply.type("application/json").serializer(JSON.stringify).send(app.swagger()),
  );
}

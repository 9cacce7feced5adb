import { PlatformError } from "@sous/contract";
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from "fastify";
import { API_SECURITY_HEADERS } from "../http/security-headers.ts";
import type { ControlApp } from "./control-app.ts";

/** Of a route, what its description is made of. */
type Described = Pick<RouteOptions, "method" | "url" | "schema" | "config">;

const PAGES = "/docs";
const DOCUMENT = "/openapi.json";

/**
 * Serves the OpenAPI 3.1 document at `/openapi.json` and its pages at `/docs`, without anything from outside. Both are made
 * when somebody first asks for them: their libraries would be a tenth of every start.
 */
export function registerOpenapi(app: ControlApp): void {
  const routes: Described[] = [];
  app.addHook("onRoute", (route) => void routes.push(route));
  let opened: Promise<FastifyInstance> | undefined;
  app.addHook("onClose", async () => {
    await opened?.then((description) => description.close());
  });
  const open = (): Promise<FastifyInstance> =>
    (opened ??= openDescription(routes).catch((error: unknown) => {
      opened = undefined;
      throw error;
    }));
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    // Read as the application within reads it: a path may lead out of the pages.
    const { pathname, search } = new URL(request.url, "http://localhost");
    if (pathname !== DOCUMENT && pathname !== PAGES && !pathname.startsWith(`${PAGES}/`)) throw notThere();
    const description = await open();
    const seen = request.headers["if-none-match"];
    const { statusCode, headers, rawPayload } = await description.inject({
      method: "GET",
      url: pathname + search,
      headers: seen === undefined ? {} : { "if-none-match": seen },
    });
    if (statusCode >= 500)
      throw new Error(`the description of the API fails: ${rawPayload.toString().slice(0, 500)}`);
    if (statusCode >= 400) throw notThere();
    // Of the connection the server itself says what there is to say.
    const { connection: _connection, date: _date, ...kept } = headers;
    const body = rawPayload.length === 0 ? undefined : rawPayload;
    return reply
      .code(statusCode)
      .headers({ ...API_SECURITY_HEADERS, ...kept })
      .send(body);
  };
  for (const url of [DOCUMENT, PAGES, `${PAGES}/*`]) app.get(url, { schema: { hide: true } }, answer);
}

const notThere = (): PlatformError => new PlatformError("CS_NOT_FOUND", "there is nothing here; see /docs");

/** Its routes are there to be described. */
const notServed = (_request: FastifyRequest, reply: FastifyReply): FastifyReply => reply.code(404).send();

/** An application of its own, which nobody calls but the one whose routes it describes. */
async function openDescription(routes: readonly Described[]): Promise<FastifyInstance> {
  const [{ fastify }, { default: swagger }, { default: swaggerUi }] = await Promise.all([
    import("fastify"),
    import("@fastify/swagger"),
    import("@fastify/swagger-ui"),
  ]);
  const app = fastify({ exposeHeadRoutes: false });
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => JSON.stringify);
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
    routePrefix: PAGES,
    staticCSP: true,
    uiConfig: { persistAuthorization: false },
  });
  for (const { method, url, schema, config } of routes) {
    if (schema !== undefined && schema.hide !== true)
      app.route({ method, url, schema, ...(config && { config }), handler: notServed });
  }
  app.get(DOCUMENT, { schema: { hide: true } }, async (_request, reply) =>
    reply.type("application/json").serializer(JSON.stringify).send(app.swagger()),
  );
  await app.ready();
  return app;
}

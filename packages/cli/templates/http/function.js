/**
 * Answers a web request, or a direct call with `{"name": "…"}` as its event.
 * A web request arrives as `{rawPath, rawQueryString, headers, requestContext, body (base64)}`.
 */
export default async function handle(event, ctx) {
  const query = new URLSearchParams(event?.rawQueryString ?? "");
  const name = query.get("name") ?? event?.name ?? "world";
  cs.log.info({ greeted: name, trigger: ctx.trigger.type });
  return {
    statusCode: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ message: `hello ${name}`, version: ctx.version }),
  };
}

/** Greets whoever the event names. The smallest function there is. */
export default async function handle(event, ctx) {
  const name = event?.name ?? "world";
  cs.log.info({ greeting: name, activation: ctx.activation_id });
  return { statusCode: 200, headers: { "content-type": "text/plain" }, body: `Hello, ${name}!` };
}

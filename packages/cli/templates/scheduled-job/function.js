/**
 * Runs on a schedule. A tick may come late or, after a crash, for the second time: the job notes what it did and
 * does it once. `ctx.trigger` says which schedule called.
 */
export default async function handle(event, ctx) {
  const done = await cs.kv.get("job:last");
  if (done?.activation === ctx.activation_id) return { skipped: true };
  const runs = (done?.runs ?? 0) + 1;
  cs.log.info({ runs, payload: event });
  await cs.kv.set("job:last", { activation: ctx.activation_id, runs });
  return { runs };
}

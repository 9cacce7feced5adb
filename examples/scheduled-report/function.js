/**
 * Sums the orders of a day up, keeps the report and tells others that it is there. Started by a schedule it is
 * given the schedule's event; running twice for one day writes the same report twice and announces it once.
 */
export default async function handle(event, ctx) {
  const day = event?.day;
  if (typeof day !== "string" || !/^\d{4}-\d{2}-\d{2}$/.test(day))
    throw new TypeError("event.day must be YYYY-MM-DD");
  const orders = event.orders ?? [];
  const report = {
    day,
    orders: orders.length,
    cents: orders.reduce((sum, order) => sum + order.cents, 0),
    trigger: ctx.trigger.type,
  };
  const key = `reports/${day}`;
  const known = await cs.kv.get(key);
  await cs.kv.set(key, report, { ttlSeconds: 30 * 24 * 3600 });
  if (known === null) await cs.codeq.publish("reports.daily", { day });
  cs.log.info({ message: "report written", day, orders: report.orders, announced: known === null });
  return report;
}

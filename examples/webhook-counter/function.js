const KEPT_SECONDS = 7 * 24 * 3600;

/**
 * Counts webhook calls by their source and remembers the last of each.
 * Called over the web the body is base64; called through the API the event is the payload itself.
 */
export default async function handle(event) {
  const payload = event?.rawPath === undefined ? event : JSON.parse(atob(event.body ?? ""));
  const source = payload?.source;
  if (typeof source !== "string" || !/^[a-z0-9-]{1,40}$/.test(source)) {
    return answer(400, { error: "source must be 1-40 of a-z 0-9 -" });
  }
  const key = `hooks/${source}`;
  const before = await cs.kv.get(key);
  const count = (before?.count ?? 0) + 1;
  await cs.kv.set(key, { count, last: payload.id ?? null }, { ttlSeconds: KEPT_SECONDS });
  return answer(200, { source, count, previous: before?.last ?? null });
}

const answer = (statusCode, value) => ({
  statusCode,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value),
});

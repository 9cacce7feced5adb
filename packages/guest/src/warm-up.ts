/**
 * A module of our own that uses the guest the way functions do. V8 compiles a function when it is first called,
 * and only then can its code be kept: a host that runs this once in an isolate it throws away, and then compiles
 * the guest's scripts again *in that isolate* with `produceCachedData`, gets cached data that hold all of it.
 * Contexts made from such data start in half the time, parts in a quarter.
 *
 * Run it with `adopt(namespace, "handle")`, `start(WARM_UP_CONTEXT_JSON, WARM_UP_EVENT_JSON)`, then the same with
 * `default`; both end in `reply`, `handle` after timer 1 was fired.
 */
export const WARM_UP_MODULE = `
export const handle = async (event, ctx) => {
  console.log("%s", "a", { list: [1, new Map([[1, 2]])], error: new TypeError("e") });
  cs.log.info({ event, left: ctx.remainingMs() });
  await new Promise((resolve) => setTimeout(resolve, 1));
  queueMicrotask(() => {});
  cs.kv.get("key").catch(() => {});
  cs.kv.set("key", { a: 1 }, { ttlSeconds: 1 }).catch(() => {});
  structuredClone({ a: [1, new Date(0)] });
  crypto.randomUUID();
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode("ä"));
  const controller = new AbortController();
  controller.signal.addEventListener("abort", () => {});
  controller.abort();
  return { statusCode: 200, headers: { "content-type": "text/plain" }, body: btoa(atob("YQ==")) + digest.byteLength };
};
export default {
  async fetch(request) {
    const url = new URL(request.url);
    url.searchParams.append("c", "d");
    const headers = new Headers(request.headers);
    headers.set("x-seen", url.searchParams.get("a") ?? "");
    const reader = new Response("text").body.getReader();
    await reader.read();
    new TextDecoder().decode(new Uint8Array([195, 164]));
    return Response.json({ url: url.href, method: request.method, text: await request.text() }, { headers });
  },
};
`;

/** The context of both runs. */
export const WARM_UP_CONTEXT_JSON =
  '{"activation_id":"warm-up","deadline_ms":0,"trigger":{"type":"http","source":{}}}';

/** The event of both runs: a small HTTP call. */
export const WARM_UP_EVENT_JSON =
  '{"version":"2.0","rawPath":"/a","rawQueryString":"a=b","headers":{"host":"localhost","content-type":"text/plain"},' +
  '"requestContext":{"http":{"method":"POST","path":"/a"}},"body":"dGV4dA==","isBase64Encoded":true}';

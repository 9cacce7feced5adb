/** A handler in the style of the web platform: a request in, a response out. */
export default {
  async fetch(request, ctx) {
    const url = new URL(request.url);
    if (request.method === "GET") {
      const greeting = `Hello from ${ctx.function}, version ${ctx.version}`;
      return new Response(greeting, { headers: { "content-type": "text/plain" } });
    }
    if (request.method !== "POST") {
      return new Response("only GET and POST", { status: 405, headers: { allow: "GET, POST" } });
    }
    const body = await request.json();
    if (typeof body?.text !== "string")
      return Response.json({ error: "text must be a string" }, { status: 400 });
    const bytes = new TextEncoder().encode(body.text);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return Response.json({ sha256, bytes: bytes.length, query: Object.fromEntries(url.searchParams) });
  },
};

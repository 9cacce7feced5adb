/** The web's own request and response; the platform translates both ways. */
export default {
  async fetch(request, ctx) {
    const url = new URL(request.url);
    if (request.method === "POST") {
      const sent = await request.json();
      return Response.json({ echo: sent, function: ctx.function }, { status: 201 });
    }
    return new Response(`hello from ${url.pathname}\n`, { headers: { "content-type": "text/plain" } });
  },
};

/** The function of the bench as workerd wants it. */
export default {
  async fetch(request) {
    const event = await request.json();
    return Response.json({ message: `hi ${event.name}` });
  },
};

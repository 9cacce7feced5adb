/**
 * A tool for an agent: takes one JSON object, returns one JSON object, and says what is wrong in words a model
 * can act on. It remembers notes in `cs.kv`; the manifest allows keys that begin with `notes:` and nothing else.
 */
const actions = {
  async remember({ topic, text }) {
    if (typeof text !== "string" || text === "") return fail("give `text`, the note to remember");
    const key = `notes:${topic}`;
    const notes = (await cs.kv.get(key)) ?? [];
    await cs.kv.set(key, [...notes, text].slice(-50), { ttlSeconds: 86_400 });
    return { ok: true, count: Math.min(notes.length + 1, 50) };
  },

  async recall({ topic }) {
    return { ok: true, notes: (await cs.kv.get(`notes:${topic}`)) ?? [] };
  },
};

export default async function handle(event) {
  const action = Object.hasOwn(actions, event?.action) ? actions[event.action] : undefined;
  if (action === undefined) return fail(`\`action\` must be one of ${Object.keys(actions).join(", ")}`);
  if (!/^[a-z0-9-]{1,64}$/.test(event.topic ?? "")) return fail("`topic` must be 1 to 64 of a-z 0-9 -");
  return action(event);
}

const fail = (message) => ({ ok: false, error: message });

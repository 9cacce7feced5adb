const forever = () => new Promise(() => {});

/** Ways to take more time than there is. */
export const time = {
  loop() {
    for (;;);
  },
  never: () => forever(),
  async microtasks() {
    for (;;) await null;
  },
  async timers() {
    for (;;) await new Promise((resolve) => setTimeout(resolve, 1));
  },
  /** One call of a built-in, which nothing inside the isolate can interrupt. */
  builtin: () => Array.prototype.includes.call({ length: Number.MAX_SAFE_INTEGER }, 1),
  bigint() {
    const value = 3n ** 20_000_000n;
    for (;;) value * value;
  },
  regexp: () => /^(a+)+$/.test(`${"a".repeat(40)}!`),
  proxy: () => [].indexOf.call(new Proxy({}, { get: (_, name) => (name === "length" ? 2 ** 52 : 0) }), 1),
  /** More calls at once than an activation may have open. */
  "host-calls": () => Promise.all(Array.from({ length: 20_000 }, () => cs.kv.get("misbehaving/x"))),
  /** Answers at once and leaves work behind, which must not run in anybody else's time. */
  async "late-work"() {
    setInterval(() => cs.log.error("still here"), 1);
    return { statusCode: 200, body: "answered" };
  },
  /** The same with work that lets nobody else have a turn, its own answer included. */
  async "late-microtasks"() {
    void (async () => {
      for (;;) await null;
    })();
    return { statusCode: 200, body: "answered" };
  },
};

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
  builtin: () => Array.from({ length: 1e9 }).length,
  bigint() {
    let value = 3n ** 1_000_000n;
    for (;;) value *= value;
  },
  regexp: () => /^(a+)+$/.test(`${"a".repeat(40)}!`),
  proxy: () => [].indexOf.call(new Proxy({}, { get: (_, name) => (name === "length" ? 2 ** 52 : 0) }), 1),
  async "host-calls"() {
    for (;;) await cs.kv.get("misbehaving/x");
  },
  async "late-work"() {
    // Answers at once and leaves work behind, which must not run in anybody else's time.
    setInterval(() => cs.log.error("still here"), 1);
    void (async () => {
      for (;;) await null;
    })();
    return { statusCode: 200, body: "answered" };
  },
};

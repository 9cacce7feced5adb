/** Answers, errors and logs that are not what they should be. */
export const results = {
  throw() {
    throw new Error("thrown on purpose");
  },
  "throw-text"() {
    throw "only text";
  },
  "throw-nothing"() {
    throw undefined;
  },
  "throw-hostile"() {
    // Whoever reads the message of this error never comes back.
    throw {
      get message() {
        for (;;);
      },
    };
  },
  "throw-large"() {
    // Its stack holds the message once more: a larger one would not fit into the memory of a function for certain.
    throw new Error("x".repeat(4 * 1024 * 1024));
  },
  rejected: () => Promise.reject(new Error("rejected on purpose")),
  "bad-result": () => ({ statusCode: 9999, body: "ok" }),
  "bad-body": () => ({ statusCode: 200, body: { not: "text" } }),
  "large-result": () => ({ statusCode: 200, body: "x".repeat(7 * 1024 * 1024) }),
  "cyclic-result"() {
    const value = {};
    value.self = value;
    return value;
  },
  "hostile-result": () => ({
    toJSON() {
      for (;;);
    },
  }),
  "log-flood"() {
    for (let line = 0; line < 20_000; line += 1) cs.log.info(`line ${line} ${"x".repeat(200)}`);
    return { statusCode: 200, body: "flooded" };
  },
  "log-escapes"() {
    cs.log.info("\u001b[2J\u001b]0;owned\u0007 a line that clears the screen");
    return { statusCode: 200, body: "logged" };
  },
};

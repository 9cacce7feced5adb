/** Ways to reach for what is outside. */
export const boundary = {
  /** Changes the built-ins everything uses; the answer must still be right, and the next caller must not see it. */
  pollute() {
    const seen = Object.prototype.polluted === true;
    Object.prototype.polluted = true;
    Object.prototype.statusCode = 500;
    JSON.stringify = () => "forged";
    Array.prototype.push = () => 0;
    Promise.prototype.then = () => undefined;
    return { statusCode: 200, body: seen ? "seen before" : "clean" };
  },
  async escape() {
    const attempts = {
      process: () => this.constructor.constructor("return process")(),
      global: () => Function("return globalThis.process ?? globalThis.require")(),
      callback: () => cs.log.info.constructor("return process")(),
      host: () => cs.kv.get.constructor("return process")(),
      frames() {
        Error.prepareStackTrace = (_, frames) =>
          frames.map((frame) => frame.getThis?.() ?? frame.getFunction?.());
        return new Error("frames").stack.find?.((value) => value?.process !== undefined);
      },
      webAssembly: () => globalThis.WebAssembly,
      sharedMemory: () => globalThis.SharedArrayBuffer,
      fs: () => import("node:fs"),
      outside: () => import("../../../../etc/passwd"),
      remote: () => import("https://example.com/x.js"),
    };
    const reached = [];
    for (const [name, attempt] of Object.entries(attempts)) {
      try {
        if ((await attempt()) !== undefined) reached.push(name);
      } catch {
        // Refused, as it should be.
      }
    }
    return { statusCode: 200, body: JSON.stringify({ reached }) };
  },
  "denied-host": () => cs.http.fetch("https://example.org/"),
  "private-address": () => cs.http.fetch("http://169.254.169.254/latest/meta-data/"),
  "private-name": () => cs.http.fetch("http://localhost/"),
  "denied-key": () => cs.kv.get("other/key"),
  "denied-op": () => cs.kv.set("misbehaving/x", 1),
  "denied-topic": () => cs.codeq.publish("cs.invoke", {}),
  "denied-secret": () => cs.secrets.get("token"),
  async caught() {
    try {
      await cs.http.fetch("https://example.org/");
    } catch (error) {
      return { statusCode: 200, body: error.code };
    }
    return { statusCode: 500, body: "was allowed" };
  },
};

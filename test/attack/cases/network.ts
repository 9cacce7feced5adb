import type { AttackCase } from "../attack-case.ts";

const capabilities = {
  http: {
    allowHosts: [
      "*.example.com",
      "127.0.0.1",
      "localhost",
      "[::1]",
      "169.254.169.254",
      "10.0.0.1",
      "metadata.google.internal",
    ],
    timeoutMs: 1000,
  },
};

const denied = (name: string, url: string): AttackCase => ({
  name,
  code: `await cs.http.fetch(${JSON.stringify(url)}, {}); return "reached";`,
  capabilities,
  ends: ["error/CapabilityDenied", "error/Exception"],
});

const RULED = {
  http: { allow: [{ host: "a.example.com", methods: ["GET"], paths: ["/public/*"] }], timeoutMs: 1000 },
};
const ruled = (name: string, code: string): AttackCase => ({
  name,
  code: `${code} return "reached";`,
  capabilities: RULED,
  ends: ["error/CapabilityDenied"],
});

/** Code that calls where it may not. Hosts of the allow-list that are private stay refused. */
export const NETWORK: readonly AttackCase[] = [
  {
    name: "no capability at all",
    code: 'await cs.http.fetch("https://example.com/", {});',
    ends: ["error/CapabilityDenied"],
  },
  {
    name: "global fetch without a capability",
    code: 'await fetch("https://example.com/");',
    ends: ["error/CapabilityDenied"],
  },
  { name: "kv without a capability", code: 'await cs.kv.set("a", 1);', ends: ["error/CapabilityDenied"] },
  {
    name: "kv of another prefix",
    code: 'await cs.kv.get("ab/x");',
    capabilities: { kv: { prefixes: ["a/"], ops: ["get"] } },
    ends: ["error/CapabilityDenied"],
  },
  {
    name: "kv by another operation",
    code: 'await cs.kv.set("a/x", 1);',
    capabilities: { kv: { prefixes: ["a/"], ops: ["get"] } },
    ends: ["error/CapabilityDenied"],
  },
  {
    name: "topic of the platform",
    code: 'await cs.codeq.publish("cs.invoke", {});',
    capabilities: { codeq: { publishTopics: ["cs.*", "cs.invoke"] } },
    ends: ["error/CapabilityDenied", "error/Exception"],
  },
  { name: "secrets without a grant", code: 'await cs.secrets.get("any");', ends: ["error/CapabilityDenied"] },
  {
    name: "heartbeat outside Cadence",
    code: "await cs.cadence.heartbeat({});",
    ends: ["error/CapabilityDenied"],
  },
  denied("a host that is not listed", "https://example.org/"),
  denied("the parent of a listed wildcard", "https://example.com/"),
  denied("loopback", "http://127.0.0.1/"),
  denied("loopback by name", "http://localhost/"),
  denied("loopback in decimal", "http://2130706433/"),
  denied("loopback in octal", "http://0177.0.0.1/"),
  denied("loopback in hex", "http://0x7f000001/"),
  denied("loopback shortened", "http://127.1/"),
  denied("loopback over IPv6", "http://[::1]/"),
  denied("loopback mapped into IPv6", "http://[::ffff:127.0.0.1]/"),
  denied("link-local metadata", "http://169.254.169.254/latest/meta-data/"),
  denied("metadata by name", "http://metadata.google.internal/"),
  denied("private network", "http://10.0.0.1/"),
  denied("user information in the URL", "http://a.example.com@127.0.0.1/"),
  denied("another scheme", "file:///etc/passwd"),
  ruled(
    "a method that is not listed",
    'await cs.http.fetch("https://a.example.com/public/x", { method: "DELETE" });',
  ),
  ruled("a path that is not listed", 'await cs.http.fetch("https://a.example.com/public/../admin");'),
  ruled(
    "a path that is not listed, encoded",
    'await cs.http.fetch("https://a.example.com/public/..%2fadmin");',
  ),
  denied("another port", "http://a.example.com:22/"),
];

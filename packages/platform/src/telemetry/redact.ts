/** Names whose values never reach a log, without case, dashes and underscores. */
const SECRET_NAMES = new Set([
  "authorization",
  "proxyauthorization",
  "cookie",
  "setcookie",
  "token",
  "idtoken",
  "accesstoken",
  "refreshtoken",
  "secret",
  "clientsecret",
  "secretkey",
  "password",
  "passwd",
  "passphrase",
  "apikey",
  "xapikey",
  "privatekey",
  "credential",
  "credentials",
]);
const REDACTED = "[redacted]";
const DEPTH_MAX = 6;
const ITEMS_MAX = 100;
const CAUSES_MAX = 4;
const STACK_LENGTH_MAX = 4096;

/** @returns whether a field of that name holds a secret */
export const isSecretName = (name: string): boolean =>
  SECRET_NAMES.has(name.replaceAll(/[-_]/g, "").toLowerCase());

/**
 * Copies a value for the log: secrets by name become `[redacted]`, errors become plain objects, what is nested
 * deeper than six levels or longer than a hundred items is cut.
 */
export function redact(value: unknown): unknown {
  return copy(value, 0);
}

/** Takes what looks like a credential out of a text: bearer tokens, our own tokens, passwords and keys in URLs. */
export function scrubText(text: string): string {
  return text
    .replaceAll(/\b(bearer|basic)\s+[\w.~+/=-]+/gi, `$1 ${REDACTED}`)
    .replaceAll(/\bsous_[0-9a-z]{26}_[\w-]{43}/g, REDACTED)
    .replaceAll(/(\/\/[^/\s:@]*):[^/\s@]+@/g, `$1:${REDACTED}@`)
    .replaceAll(/([?&](?:key|api_?key|token|secret|password)=)[^&\s#"']+/gi, `$1${REDACTED}`);
}

function copy(value: unknown, depth: number): unknown {
  if (typeof value === "string") return scrubText(value);
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth >= DEPTH_MAX) return "[deeper]";
  if (value instanceof Error) return copyError(value, depth, 0);
  if (Array.isArray(value)) return value.slice(0, ITEMS_MAX).map((item) => copy(item, depth + 1));
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  const entries = Object.entries(value).slice(0, ITEMS_MAX);
  return Object.fromEntries(
    entries.map(([name, item]) => [name, isSecretName(name) ? REDACTED : copy(item, depth + 1)]),
  );
}

/** An error as name, code, message, stack, details and cause; other own fields may hold anything and are left out. */
function copyError(error: Error, depth: number, causes: number): Record<string, unknown> {
  const shown: Record<string, unknown> = { type: error.name, message: scrubText(error.message) };
  if ("code" in error && typeof error.code === "string") shown["code"] = error.code;
  if (error.stack !== undefined) shown["stack"] = scrubText(error.stack.slice(0, STACK_LENGTH_MAX));
  if ("details" in error && error.details !== undefined) shown["details"] = copy(error.details, depth + 1);
  if (error.cause !== undefined && causes < CAUSES_MAX) {
    shown["cause"] =
      error.cause instanceof Error ? copyError(error.cause, depth, causes + 1) : copy(error.cause, depth + 1);
  }
  return shown;
}

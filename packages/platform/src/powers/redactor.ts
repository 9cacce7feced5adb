import { createRedactStream, createSecretMatcher, REDACTED, type RedactStream } from "./redact-stream.ts";
import { secretPatterns } from "./secret-patterns.ts";

/** Takes secrets out of whole texts. */
export interface Redactor {
  /** Learns a secret; those it knows already cost nothing. */
  add(secret: string): void;
  /** @returns the text with `[redacted]` wherever a known secret stood, in any of its spellings */
  redact(text: string): string;
}

// A node of the automaton takes some hundred bytes: long secrets are searched for one by one instead.
const MATCHED_CHARACTERS_MAX = 256;
/** Values of rotated secrets that are remembered besides the newest ones. */
const SECRETS_MAX = 256;

/** Makes a redactor that knows no secrets yet. */
export function createRedactor(): Redactor {
  const known = new Set<string>();
  let stream: RedactStream | undefined;
  let long: string[] = [];

  return {
    add(secret) {
      if (known.has(secret)) return;
      const [oldest] = known;
      if (known.size >= SECRETS_MAX && oldest !== undefined) known.delete(oldest);
      known.add(secret);
      const short = [...known].filter((value) => value.length <= MATCHED_CHARACTERS_MAX);
      stream = short.length === 0 ? undefined : createRedactStream(createSecretMatcher(short));
      long = [...known].filter((value) => value.length > MATCHED_CHARACTERS_MAX).flatMap(secretPatterns);
    },
    redact(text) {
      let left = text;
      for (const pattern of long) left = left.replaceAll(pattern, () => REDACTED);
      return stream === undefined ? left : stream.push(left) + stream.end();
    },
  };
}

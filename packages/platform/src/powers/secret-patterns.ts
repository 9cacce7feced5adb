/** Shorter ones would redact ordinary words. */
export const SECRET_CHARACTERS_MIN = 6;

const BEYOND_LATIN1 = /[^\0-\xff]/;

/**
 * Lists the spellings in which a secret turns up in logs: as it is, URL-encoded, inside JSON, and its bytes in
 * hexadecimal, and in base64 at each of the three places they can have among others. Its bytes are those of UTF-8, and
 * of Latin-1 where that has all its characters: those are what `btoa` takes.
 * @returns nothing for secrets under six characters
 */
export function secretPatterns(secret: string): string[] {
  if (secret.length < SECRET_CHARACTERS_MIN) return [];
  const url = encodeURIComponent(secret.toWellFormed());
  const patterns = new Set([
    secret,
    url,
    url.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()),
    url.replaceAll("%20", "+"),
    JSON.stringify(secret).slice(1, -1),
    ...bytePatterns(Buffer.from(secret)),
    ...(BEYOND_LATIN1.test(secret) ? [] : bytePatterns(Buffer.from(secret, "latin1"))),
  ]);
  return [...patterns];
}

function bytePatterns(bytes: Buffer): string[] {
  const hex = bytes.toString("hex");
  const patterns = [hex, hex.toUpperCase()];
  for (const offset of [0, 1, 2]) {
    const inside = base64Inside(bytes, offset);
    patterns.push(inside, inside.replaceAll("+", "-").replaceAll("/", "_"));
  }
  return patterns;
}

/** The characters of a base64 text that hold nothing but these bytes, when `offset` others stand before them. */
function base64Inside(bytes: Buffer, offset: number): string {
  const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64");
  const first = Math.ceil((offset * 8) / 6);
  const end = Math.floor(((offset + bytes.length) * 8) / 6);
  return text.slice(first, end);
}

/** Shorter ones would redact ordinary words. */
export const SECRET_CHARACTERS_MIN = 6;

/**
 * Lists the spellings in which a secret turns up in logs: as it is, URL-encoded, inside JSON, hexadecimal, and
 * in base64 at each of the three places it can have among other bytes.
 * @returns nothing for secrets under six characters
 */
export function secretPatterns(secret: string): string[] {
  if (secret.length < SECRET_CHARACTERS_MIN) return [];
  const bytes = Buffer.from(secret);
  const url = encodeURIComponent(secret.toWellFormed());
  const patterns = new Set([
    secret,
    url,
    url.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()),
    url.replaceAll("%20", "+"),
    JSON.stringify(secret).slice(1, -1),
    bytes.toString("hex"),
    bytes.toString("hex").toUpperCase(),
  ]);
  for (const offset of [0, 1, 2]) {
    const inside = base64Inside(bytes, offset);
    patterns.add(inside);
    patterns.add(inside.replaceAll("+", "-").replaceAll("/", "_"));
  }
  return [...patterns];
}

/** The characters of a base64 text that hold nothing but these bytes, when `offset` others stand before them. */
function base64Inside(bytes: Buffer, offset: number): string {
  const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64");
  const first = Math.ceil((offset * 8) / 6);
  const end = Math.floor(((offset + bytes.length) * 8) / 6);
  return text.slice(first, end);
}

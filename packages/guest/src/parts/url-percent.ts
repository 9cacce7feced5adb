/**
 * Stands in for `@exodus/bytes/whatwg.js` inside the part `url`. The URL standard knows queries in legacy
 * encodings, for links in old documents; scripts only ever get UTF-8.
 */
export function percentEncodeAfterEncoding(_encoding: string, text: string, extraCharacters: string): string {
  let encoded = "";
  for (const byte of new TextEncoder().encode(text)) {
    const character = String.fromCharCode(byte);
    const plain = byte > 0x1f && byte < 0x7f && !extraCharacters.includes(character);
    encoded += plain ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

/** @returns the value of JSON text, or the text where it is none: what filters look into */
export function parsedOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

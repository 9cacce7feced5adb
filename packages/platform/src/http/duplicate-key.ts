const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Finds a key that stands twice in one object. `JSON.parse` keeps the last one and says nothing, which is how
 * two readers of one document come to see two documents.
 * @param json text that is known to be JSON
 * @returns the first such key, or `undefined`
 */
export function duplicateKey(json: string): string | undefined {
  /** Keys seen in each open object; `undefined` stands for an array. */
  const open: (Set<string> | undefined)[] = [];
  let isKey = false;
  for (let at = 0; at < json.length; at++) {
    switch (json.charCodeAt(at)) {
      case OPEN_OBJECT:
        open.push(new Set());
        isKey = true;
        break;
      case OPEN_ARRAY:
        open.push(undefined);
        isKey = false;
        break;
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        open.pop();
        isKey = false;
        break;
      case COMMA:
        isKey = open.at(-1) !== undefined;
        break;
      case QUOTE: {
        const end = endOfText(json, at);
        if (isKey) {
          const key = JSON.parse(json.slice(at, end + 1)) as string;
          const seen = open.at(-1);
          if (seen?.has(key)) return key;
          seen?.add(key);
          isKey = false;
        }
        at = end;
        break;
      }
    }
  }
  return undefined;
}

/** @returns where the text that begins at `start` has its closing quote */
function endOfText(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); ; end = json.indexOf('"', end + 1)) {
    if (end < 0) return json.length;
    let before = end;
    while (json.charCodeAt(before - 1) === BACKSLASH) before--;
    if ((end - before) % 2 === 0) return end;
  }
}

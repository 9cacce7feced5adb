/** Why a JSON text was refused. The message names the place. */
export class StrictJsonError extends SyntaxError {}

/** Bounds of {@link parseStrictJson}. */
export interface StrictJsonLimits {
  /** Most characters of the text. */
  charactersMax: number;
  /** Most objects and arrays open at once. */
  depthMax: number;
}

/**
 * Parses JSON that people write and machines trust: refuses what parsers read differently (duplicate keys),
 * what pollutes prototypes (`__proto__`) and what exhausts them (deep nesting).
 * @throws StrictJsonError
 */
export function parseStrictJson(text: string, limits: StrictJsonLimits): unknown {
  if (text.length > limits.charactersMax) {
    throw new StrictJsonError(`is longer than ${limits.charactersMax} characters`);
  }
  // The scan goes first: it bounds the nesting before a recursive consumer meets it.
  const duplicate = scan(text, limits.depthMax);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new StrictJsonError(`is not JSON: ${(error as SyntaxError).message}`, { cause: error });
  }
  if (duplicate !== undefined) throw new StrictJsonError(duplicate);
  return value;
}

/**
 * Walks over the tokens that matter: brackets, strings, colons. On text that is not JSON its answer is
 * worthless but it ends all the same; `JSON.parse` then refuses the text.
 * @returns the first key that must not stand where it does, in words
 */
function scan(text: string, depthMax: number): string | undefined {
  // One entry an open bracket: the keys seen so far, or `undefined` for an array.
  const open: (Set<string> | undefined)[] = [];
  let problem: string | undefined;
  let at = 0;
  while (at < text.length) {
    const character = text[at];
    if (character === '"') {
      const end = stringEnd(text, at);
      if (isKey(text, end)) problem ??= keyProblem(text.slice(at, end), open.at(-1));
      at = end;
      continue;
    }
    if (character === "{" || character === "[") {
      open.push(character === "{" ? new Set() : undefined);
      if (open.length > depthMax) throw new StrictJsonError(`is nested deeper than ${depthMax} levels`);
    } else if (character === "}" || character === "]") {
      open.pop();
    }
    at += 1;
  }
  return problem;
}

function keyProblem(literal: string, keys: Set<string> | undefined): string | undefined {
  let key: unknown;
  try {
    key = JSON.parse(literal);
  } catch {
    return undefined;
  }
  if (typeof key !== "string" || keys === undefined) return undefined;
  if (key === "__proto__") return 'holds the key "__proto__"';
  if (keys.has(key)) return `holds the key ${JSON.stringify(key.slice(0, 80))} twice in one object`;
  keys.add(key);
  return undefined;
}

/** @returns the index after the closing quote of the string that begins at `start` */
function stringEnd(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

function isKey(text: string, from: number): boolean {
  let at = from;
  while (at < text.length && " \t\r\n".includes(text[at] ?? "")) at += 1;
  return text[at] === ":";
}

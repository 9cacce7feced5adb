import { inspect } from "./inspect.ts";
import { charCodeAt, slice, stringify, symbolToText, toNumber, trunc } from "./primordials.ts";

const PERCENT = 0x25;

/**
 * Joins the arguments of a console call into one line: `%s %d %i %f %j %o %O %c` in a first string take the
 * arguments after it, what is left follows after spaces.
 * @param from index of the first argument (0)
 */
export function formatLine(items: ArrayLike<unknown>, from = 0): string {
  const first = items[from];
  let next = from;
  let text = "";
  if (typeof first === "string") {
    next++;
    if (items.length === next) return first;
    let start = 0;
    for (let index = 0; index < first.length - 1; index++) {
      if (charCodeAt(first, index) !== PERCENT) continue;
      const directive = first[index + 1] as string;
      if (directive !== "%" && (next >= items.length || !isDirective(directive))) continue;
      text += slice(first, start, index) + (directive === "%" ? "%" : insert(directive, items[next++]));
      start = ++index + 1;
    }
    text += slice(first, start);
  }
  for (; next < items.length; next++) text += (next === from ? "" : " ") + plain(items[next]);
  return text;
}

const isDirective = (unit: string): boolean =>
  unit === "s" ||
  unit === "d" ||
  unit === "i" ||
  unit === "f" ||
  unit === "j" ||
  unit === "o" ||
  unit === "O" ||
  unit === "c";

const plain = (value: unknown): string => (typeof value === "string" ? value : inspect(value));

function insert(directive: string, value: unknown): string {
  if (directive === "c") return "";
  if (directive === "s") return typeof value === "symbol" ? symbolToText(value) : plain(value);
  if (directive === "o" || directive === "O") return inspect(value);
  try {
    if (directive === "j") return `${stringify(value)}`;
    const number = typeof value === "symbol" ? Number.NaN : toNumber(value);
    return `${directive === "i" ? trunc(number) : number}`;
  } catch {
    return plain(value);
  }
}

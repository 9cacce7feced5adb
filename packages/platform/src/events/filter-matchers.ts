import { PlatformError } from "@sous/contract";
import ipaddr from "ipaddr.js";

/** One element of a field's list. */
export interface Matcher {
  test(value: unknown): boolean;
  /** Of `exists`: whether the field has to be there; the others need it there. */
  exists?: boolean;
}

type Test = (value: unknown) => boolean;

const TEXT_MAX = 1024;

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Compiles one element of a list. @throws CS_VALIDATION_FAILED */
export function matcherOf(entry: unknown, path: string): Matcher {
  if (!isObject(entry)) return { test: literal(entry, path) };
  const [[name, argument] = ["", undefined], ...others] = Object.entries(entry);
  if (others.length > 0) throw invalid(path, "has more than one operator; make two elements of it");
  switch (name) {
    case "prefix":
    case "suffix":
      return { test: endTest(name, argument, path) };
    case "equals-ignore-case":
      return { test: ignoringCase(text(argument, path)) };
    case "wildcard":
      return { test: wildcard(text(argument, path), path) };
    case "anything-but":
      return { test: anythingBut(argument, path) };
    case "numeric":
      return { test: numeric(argument, path) };
    case "cidr":
      return { test: cidr(text(argument, path), path) };
    case "exists":
      if (typeof argument !== "boolean") throw invalid(path, "exists is true or false");
      return { test: () => argument, exists: argument };
    default:
      throw invalid(
        path,
        `has the operator ${JSON.stringify(name)}; there are prefix, suffix, equals-ignore-case, wildcard, anything-but, numeric, cidr and exists`,
      );
  }
}

function literal(value: unknown, path: string): Test {
  if (value === null || typeof value === "boolean") return (found) => found === value;
  if (typeof value === "number" && Number.isFinite(value)) return (found) => found === value;
  const wanted = text(value, path);
  return (found) => found === wanted;
}

function endTest(name: "prefix" | "suffix", argument: unknown, path: string): Test {
  const inner = isObject(argument) ? argument["equals-ignore-case"] : undefined;
  if (isObject(argument) && Object.keys(argument).length !== 1) throw invalid(path, `${name} takes a text`);
  const wanted = text(inner ?? argument, path);
  const folds = inner !== undefined;
  const end = folds ? wanted.toLowerCase() : wanted;
  return (found) => {
    if (typeof found !== "string") return false;
    const whole = folds ? found.toLowerCase() : found;
    return name === "prefix" ? whole.startsWith(end) : whole.endsWith(end);
  };
}

function ignoringCase(wanted: string): Test {
  const folded = wanted.toLowerCase();
  return (found) => typeof found === "string" && found.toLowerCase() === folded;
}

/** `*` stands for any number of characters, `\*` and `\\` for themselves. No backtracking: the first place of each part is enough. */
function wildcard(pattern: string, path: string): Test {
  const parts = wildcardParts(pattern, path);
  const [first = "", ...rest] = parts;
  const last = rest.pop();
  return (found) => {
    if (typeof found !== "string" || !found.startsWith(first)) return false;
    if (last === undefined) return found === first;
    let at = first.length;
    for (const part of rest) {
      const next = found.indexOf(part, at);
      if (next < 0) return false;
      at = next + part.length;
    }
    return found.length - last.length >= at && found.endsWith(last);
  };
}

function wildcardParts(pattern: string, path: string): string[] {
  const parts = [""];
  for (let at = 0; at < pattern.length; at++) {
    let letter = pattern[at] as string;
    if (letter === "*") {
      if (pattern[at + 1] === "*") throw invalid(path, "wildcard has two * in a row; one says the same");
      parts.push("");
      continue;
    }
    if (letter === "\\") {
      letter = pattern[++at] ?? "";
      if (letter !== "*" && letter !== "\\")
        throw invalid(path, String.raw`wildcard may only escape \* and \\ `);
    }
    parts[parts.length - 1] += letter;
  }
  return parts;
}

function anythingBut(argument: unknown, path: string): Test {
  if (!isObject(argument)) {
    const values = Array.isArray(argument) ? argument : [argument];
    if (values.length === 0) throw invalid(path, "anything-but excludes nothing");
    const tests = values.map((value) => literal(value, path));
    return (found) => !isObject(found) && !tests.some((test) => test(found));
  }
  const [[name, inner] = ["", undefined], ...others] = Object.entries(argument);
  const isKnown = ["prefix", "suffix", "wildcard", "equals-ignore-case"].includes(name);
  if (others.length > 0 || !isKnown) {
    throw invalid(path, "anything-but takes values, or one of prefix, suffix, wildcard, equals-ignore-case");
  }
  const list: readonly unknown[] = Array.isArray(inner) ? inner : [inner];
  const matchers = list.map((value) => matcherOf({ [name]: value }, path));
  return (found) => typeof found === "string" && !matchers.some((matcher) => matcher.test(found));
}

const COMPARISONS: Readonly<Record<string, (found: number, bound: number) => boolean>> = {
  "=": (found, bound) => found === bound,
  "<": (found, bound) => found < bound,
  "<=": (found, bound) => found <= bound,
  ">": (found, bound) => found > bound,
  ">=": (found, bound) => found >= bound,
};

function numeric(argument: unknown, path: string): Test {
  const shape = 'numeric is ["=", 5] or a range as [">", 0, "<=", 5]';
  if (!Array.isArray(argument) || (argument.length !== 2 && argument.length !== 4))
    throw invalid(path, shape);
  const tests: ((found: number) => boolean)[] = [];
  for (let at = 0; at < argument.length; at += 2) {
    const operator: unknown = argument[at];
    const bound: unknown = argument[at + 1];
    const compare =
      typeof operator === "string" && Object.hasOwn(COMPARISONS, operator)
        ? COMPARISONS[operator]
        : undefined;
    if (compare === undefined || typeof bound !== "number" || !Number.isFinite(bound))
      throw invalid(path, shape);
    tests.push((found) => compare(found, bound));
  }
  return (found) => typeof found === "number" && tests.every((test) => test(found));
}

function cidr(range: string, path: string): Test {
  if (!ipaddr.isValidCIDR(range)) throw invalid(path, "cidr is an address and a length, as 10.0.0.0/8");
  const [network, bits] = ipaddr.parseCIDR(range);
  return (found) => {
    if (typeof found !== "string" || !ipaddr.isValid(found)) return false;
    const address = ipaddr.parse(found);
    return address.kind() === network.kind() && address.match(network, bits);
  };
}

function text(value: unknown, path: string): string {
  if (typeof value !== "string") throw invalid(path, "takes a text");
  if (value.length > TEXT_MAX) throw invalid(path, `holds at most ${TEXT_MAX} characters`);
  return value;
}

const invalid = (path: string, problem: string): PlatformError =>
  new PlatformError("CS_VALIDATION_FAILED", `${path} ${problem}`);

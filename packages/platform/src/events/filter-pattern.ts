import { PlatformError } from "@sous/contract";
import { isObject, type Matcher, matcherOf } from "./filter-matchers.ts";

/** Says whether a message passes. */
export type Filter = (message: unknown) => boolean;

const DEPTH_MAX = 16;
const PARTS_MAX = 500;

interface Budget {
  parts: number;
}

/**
 * Compiles filters in the style of EventBridge event patterns: an object whose leaves are lists of what a field may be.
 * All fields of a pattern have to match, one element of a list is enough, and one of several patterns.
 * Matching never throws, and takes time in proportion to pattern and message.
 * @returns a filter that lets everything pass where there are no patterns
 * @throws CS_VALIDATION_FAILED with the path of what is no pattern
 * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
 */
export function compileFilters(patterns: readonly unknown[]): Filter {
  if (patterns.length === 0) return () => true;
  const budget: Budget = { parts: 0 };
  const filters = patterns.map((pattern, at) => objectFilter(pattern, `filters[${at}]`, 0, budget));
  return (message) => filters.some((filter) => filter(message));
}

function objectFilter(pattern: unknown, path: string, depth: number, budget: Budget): Filter {
  if (!isObject(pattern)) throw invalid(path, "is an object of fields");
  if (depth > DEPTH_MAX) throw invalid(path, `is nested more than ${DEPTH_MAX} deep`);
  const entries = Object.entries(pattern);
  if (entries.length === 0) throw invalid(path, "names no field");
  const fields = entries.map(([name, part]) => {
    spend(budget, path);
    return name === "$or"
      ? anyOf(part, `${path}.$or`, depth, budget)
      : fieldFilter(name, part, `${path}.${name}`, depth, budget);
  });
  return (message) => fields.every((field) => field(message));
}

function anyOf(part: unknown, path: string, depth: number, budget: Budget): Filter {
  if (!Array.isArray(part) || part.length < 2) throw invalid(path, "is a list of at least two patterns");
  const choices = part.map((choice, at) => objectFilter(choice, `${path}[${at}]`, depth + 1, budget));
  return (message) => choices.some((choice) => choice(message));
}

function fieldFilter(name: string, part: unknown, path: string, depth: number, budget: Budget): Filter {
  if (Array.isArray(part)) {
    if (part.length === 0) throw invalid(path, "is an empty list, which nothing matches");
    const matchers = part.map((entry, at) => {
      spend(budget, path);
      return matcherOf(entry, `${path}[${at}]`);
    });
    return (message) => leafMatches(matchers, message, name);
  }
  const inner = objectFilter(part, path, depth + 1, budget);
  return (message) => {
    const value = fieldOf(message, name);
    // As in EventBridge: of a list of objects one has to match as a whole.
    return Array.isArray(value) ? value.some((element) => inner(element)) : inner(value);
  };
}

function leafMatches(matchers: readonly Matcher[], message: unknown, name: string): boolean {
  const isThere = isObject(message) && Object.hasOwn(message, name);
  const value = isThere ? message[name] : undefined;
  const values = Array.isArray(value) ? value : [value];
  return matchers.some((matcher) => {
    if (matcher.exists !== undefined) return matcher.exists === (isThere && !isObject(value));
    return isThere && values.some((element) => matcher.test(element));
  });
}

const fieldOf = (message: unknown, name: string): unknown =>
  isObject(message) && Object.hasOwn(message, name) ? message[name] : undefined;

function spend(budget: Budget, path: string): void {
  if (++budget.parts > PARTS_MAX)
    throw invalid(path, `is past the ${PARTS_MAX} parts that filters may have in all`);
}

const invalid = (path: string, problem: string): PlatformError =>
  new PlatformError("CS_VALIDATION_FAILED", `${path} ${problem}`);

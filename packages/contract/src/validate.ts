import type { Static, TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { type ErrorCode, PlatformError } from "./errors.ts";

/** One thing wrong with an input, with the path of the field as a JSON Pointer. */
export interface ValidationIssue {
  path: string;
  message: string;
}

export interface Parser<T> {
  /** @returns whether the value has the shape, without saying why not */
  check(value: unknown): value is T;
  /** @returns what is wrong, at most ten issues */
  issues(value: unknown): ValidationIssue[];
  /**
   * @param value anything, as it came from outside
   * @returns the same value, typed
   * @throws PlatformError with the parser's code and the issues as details
   */
  parse(value: unknown): T;
}

const ISSUES_MAX = 10;

/**
 * Compiles a schema into a parser of untrusted input.
 * @param subject what the value is, for the message: `the manifest`
 * @param code the code a bad value is refused with (CS_VALIDATION_FAILED)
 */
export function createParser<S extends TSchema>(
  schema: S,
  subject: string,
  code: ErrorCode = "CS_VALIDATION_FAILED",
): Parser<Static<S>> {
  let compiled: ReturnType<typeof Compile<S>> | undefined;
  const validator = () => (compiled ??= Compile(schema));
  const check = (value: unknown): value is Static<S> => validator().Check(value);
  const issues = (value: unknown): ValidationIssue[] => {
    const found = [...validator().Errors(value)];
    // An unknown field is told twice: once by its parent, by name, and once as "schema is false".
    const telling = found.filter((issue) => issue.keyword !== "boolean");
    return (telling.length > 0 ? telling : found).slice(0, ISSUES_MAX).map((issue) => ({
      path: issue.instancePath === "" ? "/" : issue.instancePath.slice(0, 200),
      message: describe(issue),
    }));
  };
  return {
    check,
    issues,
    parse(value) {
      if (check(value)) return value;
      const found = issues(value);
      const first = found[0];
      const where = first === undefined ? "" : `: ${first.path} ${first.message}`;
      throw new PlatformError(code, `${subject} is not valid${where}`, { details: { issues: found } });
    },
  };
}

function describe(issue: { keyword: string; message: string; params: object }): string {
  const { keyword, params } = issue;
  if (keyword === "additionalProperties" && "additionalProperties" in params) {
    const names = params.additionalProperties;
    if (Array.isArray(names)) return `has unknown field ${quoted(names)}`;
  }
  if (keyword === "enum" && "allowedValues" in params && Array.isArray(params.allowedValues)) {
    return `must be one of ${quoted(params.allowedValues)}`;
  }
  return keyword === "boolean" ? "is not a known field" : issue.message.slice(0, 300);
}

const quoted = (values: readonly unknown[]): string =>
  values
    .slice(0, ISSUES_MAX)
    .map((value) => JSON.stringify(String(value).slice(0, 64)))
    .join(", ");

import { createParser, type ErrorCode, PlatformError } from "@sous/contract";
import type { FastifySchemaCompiler } from "fastify";
import type { TSchema } from "typebox";

type Property = { type?: string };

/** Fields that are names: a bad one has a code of its own. */
const NAME_PATHS = new Set(["/name", "/namespace", "/tenant"]);
const SUBJECTS: Readonly<Record<string, string>> = {
  body: "the body",
  querystring: "the query",
  params: "the path",
  headers: "the headers",
};

/**
 * Validates with the contract's own parser, so that what OpenAPI shows is what is checked. Bodies are taken as
 * they are; texts of a query become numbers and booleans where its schema says so.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart = "body" }) => {
  const parser = createParser(schema, SUBJECTS[httpPart] ?? httpPart);
  const properties = httpPart === "querystring" ? propertiesOf(schema) : undefined;
  return (input: unknown) => {
    const value = properties === undefined ? input : coerceQuery(properties, input);
    if (parser.check(value)) return { value };
    return { error: refusal(SUBJECTS[httpPart] ?? httpPart, parser.issues(value)) };
  };
};

function refusal(subject: string, issues: { path: string; message: string }[]): PlatformError {
  const first = issues[0] ?? { path: "/", message: "is missing" };
  const code: ErrorCode = NAME_PATHS.has(first.path) ? "CS_VALIDATION_NAME_INVALID" : "CS_VALIDATION_FAILED";
  return new PlatformError(code, `${subject} is not valid: ${first.path} ${first.message}`, {
    details: { issues },
  });
}

const propertiesOf = (schema: TSchema): Record<string, Property> =>
  "properties" in schema ? (schema.properties as Record<string, Property>) : {};

function coerceQuery(properties: Record<string, Property>, input: unknown): unknown {
  if (typeof input !== "object" || input === null) return input;
  return Object.fromEntries(
    Object.entries(input).map(([name, value]) => [name, coerce(properties[name]?.type, value)]),
  );
}

function coerce(type: string | undefined, value: unknown): unknown {
  if (typeof value !== "string") return value;
  if (type === "integer") return /^-?\d{1,15}$/.test(value) ? Number(value) : value;
  if (type !== "boolean") return value;
  if (value === "true" || value === "1" || value === "") return true;
  return value === "false" || value === "0" ? false : value;
}

import { ERROR_CATALOGUE } from "@sous/contract";

/** @returns the reference of error codes, as it stands in docs/reference/errors.md */
export function errorReference(): string {
  const rows = Object.entries(ERROR_CATALOGUE).map(
    ([code, { status, retryable, hint }]) =>
      `| \`${code}\` | ${status} | ${retryable ? "yes" : "no"} | ${hint} |`,
  );
  return [
    "# Errors",
    "",
    "Generated from `packages/contract/src/errors.ts` by `scripts/generate-docs.ts`; change it there.",
    "",
    "Every error answer has the body",
    '`{"error": {"code", "message", "request_id", "details"?}}` and the header `x-request-id`.',
    "*Again* says whether the same request may succeed later; 429 and 503 carry `Retry-After` where the time is known.",
    "Over `:invoke` the `CS_RUNTIME_…` failures of a function stand in the body of a 200; over `/v1/web` they have the status shown.",
    "",
    "| code | status | again | what to do |",
    "|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

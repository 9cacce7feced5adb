import { mkdir, writeFile } from "node:fs/promises";
import { ERROR_CATALOGUE } from "@sous/contract";

// Writes the reference documents that are derived from code. Run it after a change of the catalogue:
// a test compares code and document both ways.

const REFERENCE = new URL("../docs/reference/", import.meta.url);

function errorReference(): string {
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

await mkdir(REFERENCE, { recursive: true });
await writeFile(new URL("errors.md", REFERENCE), errorReference());

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { ERROR_CATALOGUE, type ErrorCode, errorEnvelope, PlatformError } from "./errors.ts";

const DOCUMENT = new URL("../../../docs/reference/errors.md", import.meta.url);

async function documentRows(): Promise<Map<string, { status: number; retryable: boolean; hint: string }>> {
  const text = await readFile(DOCUMENT, "utf8");
  const rows = text.matchAll(/^\| `(CS_[A-Z_]+)` \| (\d{3}) \| (yes|no) \| (.+) \|$/gm);
  return new Map(
    [...rows].map(([, code, status, retryable, hint]) => [
      code ?? "",
      { status: Number(status), retryable: retryable === "yes", hint: hint ?? "" },
    ]),
  );
}

test("every code of the catalogue is in the document as it is in code", async () => {
  const rows = await documentRows();
  for (const [code, entry] of Object.entries(ERROR_CATALOGUE)) {
    assert.deepEqual(rows.get(code), entry, `${code}: run scripts/generate-docs.ts`);
  }
});

test("every code of the document is in the catalogue", async () => {
  const rows = await documentRows();
  assert.ok(rows.size > 0);
  for (const code of rows.keys())
    assert.ok(Object.hasOwn(ERROR_CATALOGUE, code), `${code} is gone from code`);
});

test("each hint stands in one table cell", () => {
  for (const [code, { hint }] of Object.entries(ERROR_CATALOGUE)) assert.doesNotMatch(hint, /[|\n]/, code);
});

test("the statuses of SPEC 7 hold", () => {
  const expected: Partial<Record<ErrorCode, number>> = {
    CS_AUTHN_MISSING_TOKEN: 401,
    CS_AUTHN_UNAVAILABLE: 503,
    CS_AUTHZ_ROLE_MISSING: 403,
    CS_VALIDATION_BUNDLE_TOO_LARGE: 400,
    CS_KVROCKS_CAS_FAILED: 409,
    CS_CODEQ_CORRELATION_TIMEOUT: 504,
    CS_RUNTIME_TIMEOUT: 504,
    CS_RUNTIME_EXCEPTION: 502,
    CS_NOT_FOUND: 404,
    CS_CONFLICT: 409,
    CS_PAYLOAD_TOO_LARGE: 413,
    CS_RATE_LIMITED: 429,
    CS_INTERNAL: 500,
  };
  for (const [code, status] of Object.entries(expected)) {
    assert.equal(ERROR_CATALOGUE[code as ErrorCode].status, status, code);
  }
});

test("an envelope carries code, message, request id and details, never the cause", () => {
  const error = new PlatformError("CS_NOT_FOUND", "no such function", {
    cause: new Error("password=hunter2"),
    details: { name: "hello" },
  });
  assert.deepEqual(JSON.parse(JSON.stringify(errorEnvelope(error, "req_12345678"))), {
    error: {
      code: "CS_NOT_FOUND",
      message: "no such function",
      request_id: "req_12345678",
      details: { name: "hello" },
    },
  });
  assert.equal((error.cause as Error).message, "password=hunter2");
});

test("an envelope without details has no such key", () => {
  const { error } = errorEnvelope(new PlatformError("CS_CONFLICT", "exists"), "req_12345678");
  assert.ok(!("details" in error));
});

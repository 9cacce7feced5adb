import assert from "node:assert/strict";
import test from "node:test";
import { PlatformError } from "@sous/contract";
import { errorHeaders, toPlatformError } from "./error-reply.ts";

const coded = (code: string) => Object.assign(new Error("x"), { code });

test("errors of the framework become codes, unknown ones tell nothing", () => {
  assert.equal(toPlatformError(coded("FST_ERR_CTP_BODY_TOO_LARGE")).code, "CS_PAYLOAD_TOO_LARGE");
  assert.equal(toPlatformError(coded("FST_ERR_CTP_INVALID_MEDIA_TYPE")).status, 400);
  const inner = new Error("connect ECONNREFUSED 10.0.0.1:5432 password=x");
  const outer = toPlatformError(inner);
  assert.equal(outer.code, "CS_INTERNAL");
  assert.equal(outer.cause, inner);
  assert.doesNotMatch(outer.message, /10\.0\.0\.1/);
  const own = new PlatformError("CS_RATE_LIMITED", "slower", { retryAfterSeconds: 0.2 });
  assert.equal(toPlatformError(own), own);
  assert.deepEqual(errorHeaders(own), { "retry-after": "1" });
  assert.deepEqual(errorHeaders(new PlatformError("CS_AUTHN_MISSING_TOKEN", "x")), {
    "www-authenticate": "Bearer",
  });
});

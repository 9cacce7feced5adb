import assert from "node:assert/strict";
import { test } from "node:test";
import { PlatformError } from "@sous/contract";
import { NO_REQUEST_HEADERS, requestHeaders } from "./request-headers.ts";

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

test("what counts is read whatever its letters' case, the rest is passed by", () => {
  const raw = ["Host", "a", "AUTHORIZATION", "Bearer x", "Idempotency-Key", "k 1", "X-Timeout-Ms", "250"];
  raw.push(
    "TraceParent",
    TRACE,
    "x-trace-id",
    "abc",
    "Prefer",
    "wait=1, respond-async",
    "x-padding-pad",
    "y",
    "X-Delay-Ms",
    "0",
  );
  assert.deepEqual(requestHeaders(raw), {
    authorization: "Bearer x",
    idempotencyKey: "k 1",
    timeoutMs: 250,
    delayMs: 0,
    traceparent: TRACE,
    traceId: "abc",
    respondAsync: true,
    depth: 0,
  });
  assert.deepEqual(requestHeaders(["accept", "*/*"]), NO_REQUEST_HEADERS);
});

test("of two tokens the first counts, two keys are refused", () => {
  assert.equal(requestHeaders(["authorization", "one", "Authorization", "two"]).authorization, "one");
  assert.throws(() => requestHeaders(["idempotency-key", "a", "Idempotency-Key", "b"]), PlatformError);
});

test("keys and timeouts that cannot be are refused, unusable trace headers are not there", () => {
  for (const key of ["", "\u0007", "x".repeat(129), "é"]) {
    assert.throws(() => requestHeaders(["idempotency-key", key]), { code: "CS_VALIDATION_FAILED" }, key);
  }
  for (const timeout of ["0", "-1", "1.5", "900001", "1e3", "abc", ""]) {
    assert.throws(() => requestHeaders(["x-timeout-ms", timeout]), { code: "CS_VALIDATION_FAILED" }, timeout);
  }
  for (const delay of ["-1", "1.5", "604800001", "1e3", "abc", ""]) {
    assert.throws(() => requestHeaders(["x-delay-ms", delay]), { code: "CS_VALIDATION_FAILED" }, delay);
  }
  const { traceparent, traceId } = requestHeaders(["traceparent", "nonsense", "x-trace-id", "a b"]);
  assert.deepEqual([traceparent, traceId], [undefined, undefined]);
});

test("the depth of calls is the largest number that is one", () => {
  assert.equal(requestHeaders(["X-Cs-Depth", "3", "x-cs-depth", "2"]).depth, 3);
  for (const none of ["-1", "x", "", "1.5", "99999999999"])
    assert.equal(requestHeaders(["x-cs-depth", none]).depth, 0);
});

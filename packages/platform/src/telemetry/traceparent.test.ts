import assert from "node:assert/strict";
import test from "node:test";
import { continueTrace, formatTraceparent, parseTraceparent } from "./traceparent.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const random = (size: number) => new Uint8Array(size).fill(0xab);
const SPAN = "00f067aa0ba902b7";

test("a valid header is read and written back", () => {
  const header = `00-${TRACE}-${SPAN}-01`;
  assert.deepEqual(parseTraceparent(header), { traceId: TRACE, spanId: SPAN, sampled: true });
  assert.equal(formatTraceparent({ traceId: TRACE, spanId: SPAN, sampled: true }), header);
  assert.equal(parseTraceparent(`00-${TRACE}-${SPAN}-02`)?.sampled, false);
});

test("a later version may be longer, version 00 may not", () => {
  assert.ok(parseTraceparent(`01-${TRACE}-${SPAN}-01-more`));
  assert.equal(parseTraceparent(`00-${TRACE}-${SPAN}-01-more`), undefined);
});

test("what breaks the form is no context", () => {
  for (const bad of [
    undefined,
    "",
    `ff-${TRACE}-${SPAN}-01`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-1`,
    ` 00-${TRACE}-${SPAN}-01`,
    `01-${TRACE}-${SPAN}-01-${"x".repeat(200)}`,
  ]) {
    assert.equal(parseTraceparent(bad), undefined, String(bad));
  }
});

test("a request continues its caller's trace with a span of its own, or starts one", () => {
  assert.deepEqual(continueTrace(`00-${TRACE}-${SPAN}-01`, random), {
    traceId: TRACE,
    spanId: "ab".repeat(8),
    sampled: true,
  });
  assert.deepEqual(continueTrace("nonsense", random), {
    traceId: "ab".repeat(16),
    spanId: "ab".repeat(8),
    sampled: false,
  });
});

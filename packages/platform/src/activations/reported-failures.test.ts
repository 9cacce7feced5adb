import assert from "node:assert/strict";
import test from "node:test";
import { reportedFailures } from "./reported-failures.ts";

const answer = (value: unknown, more: object = {}) => ({
  statusCode: 200,
  headers: {},
  body: typeof value === "string" ? value : JSON.stringify(value),
  isBase64Encoded: false,
  ...more,
});

test("the items that a function reports are those that failed", () => {
  const items = [{ itemIdentifier: "a" }, { itemIdentifier: "b", more: 1 }];
  assert.deepEqual(reportedFailures(answer({ batchItemFailures: items })), { failed: ["a", "b"] });
});

test("any other answer reports nothing", () => {
  const others = [
    undefined,
    answer("text with batchItemFailures in it"),
    answer('"batchItemFailures"'),
    answer(""),
    answer({ ok: true }),
    answer({ batchItemFailures: [] }),
    answer({ batchItemFailures: null }),
    answer({ inner: { batchItemFailures: [{ itemIdentifier: "a" }] } }),
    answer({ batchItemFailures: [{ itemIdentifier: "a" }] }, { isBase64Encoded: true }),
  ];
  for (const other of others) assert.deepEqual(reportedFailures(other), { failed: [] });
});

test("a report that makes no sense is malformed: nothing of the batch can be trusted to have gone well", () => {
  for (const items of ["a", {}, [null], ["a"], [{}], [{ itemIdentifier: "" }], [{ itemIdentifier: 5 }]]) {
    assert.equal(reportedFailures(answer({ batchItemFailures: items })), "malformed", JSON.stringify(items));
  }
});

import assert from "node:assert/strict";
import test from "node:test";
import { requestIdOf } from "./request-id.ts";

test("a request id of 8 to 64 safe characters is kept, any other replaced", () => {
  for (const good of ["12345678", "req_01ABC-x.y:z", "a".repeat(64)]) assert.equal(requestIdOf(good), good);
  for (const bad of [
    undefined,
    "",
    "1234567",
    "a".repeat(65),
    "with space",
    "new\nline!",
    "ünïcödé-id",
    ["12345678", "12345678"],
  ]) {
    assert.match(requestIdOf(bad), /^req_[0-9A-Z]{26}$/);
  }
});

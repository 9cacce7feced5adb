import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameError } from "./frame-reader.ts";
import { readCookies, readHeaders } from "./read-headers.ts";

test("headers and cookies of an honest host are read", () => {
  assert.deepEqual(readHeaders('{"a":"1"}'), { a: "1" });
  assert.deepEqual(readCookies('["a=1","b=2"]'), ["a=1", "b=2"]);
});

test("what a host says that the guest would have refused ends it", () => {
  const wrongHeaders = ["[]", "1", "null", "{", '{"a":1}'];
  for (const json of wrongHeaders) assert.throws(() => readHeaders(json), FrameError, json);
  const wrongCookies = [
    "{}",
    '"a=1"',
    "null",
    "[",
    "[1]",
    '["a=1",null]',
    JSON.stringify(Array(51).fill("a=1")),
    JSON.stringify(["x".repeat(4097)]),
  ];
  for (const json of wrongCookies) assert.throws(() => readCookies(json), FrameError, json.slice(0, 50));
});

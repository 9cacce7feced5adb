import assert from "node:assert/strict";
import { test } from "node:test";
import { PlatformError } from "@sous/contract";
import type { InvocationReply } from "./invocation-reply.ts";
import { REPLY_CODEC } from "./reply-codec.ts";

const REPLY: InvocationReply = {
  activation_id: "00000000-0000-4000-8000-000000000000",
  version: 3,
  status: "success",
  duration_ms: 1.5,
  cold: true,
  result: { statusCode: 200, headers: { "x-a": "b" }, cookies: ["a=ü"], body: "ü\n", isBase64Encoded: false },
  error: undefined,
  replayed: false,
};

const across = (reply: InvocationReply): InvocationReply => REPLY_CODEC.decode(REPLY_CODEC.encode(reply));

test("a reply is the same on the other side", () => {
  assert.deepEqual(across(REPLY), REPLY);
});

test("why a record is not on disk crosses with its code, and without its cause", () => {
  const unrecorded = new PlatformError("CS_STORE_UNAVAILABLE", "the disk is full", {
    cause: new Error("password=hunter2"),
    details: { path: "x" },
    retryAfterSeconds: 2,
  });
  const text = REPLY_CODEC.encode({ ...REPLY, unrecorded });
  assert.doesNotMatch(text, /hunter2/);
  const error = REPLY_CODEC.decode(text).unrecorded;
  assert.ok(error instanceof PlatformError);
  const { code, message, details, retryAfterSeconds } = error;
  assert.deepEqual(
    [code, message, details, retryAfterSeconds],
    ["CS_STORE_UNAVAILABLE", "the disk is full", { path: "x" }, 2],
  );
});

test("a code of another release becomes one of this one", () => {
  const text = REPLY_CODEC.encode({ ...REPLY, unrecorded: new PlatformError("CS_INTERNAL", "?") });
  const other = REPLY_CODEC.decode(text.replace("CS_INTERNAL", "CS_OF_TOMORROW"));
  assert.equal(other.unrecorded?.code, "CS_STORE_WRITE_FAILED");
});

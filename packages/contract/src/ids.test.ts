import assert from "node:assert/strict";
import test from "node:test";
import {
  idempotentActivationId,
  newActivationId,
  newDraftId,
  newMessageId,
  newRequestId,
  tickActivationId,
} from "./ids.ts";

const scope = {
  tenant: "t_default",
  namespace: "default",
  function: "hello",
  ref: "prod",
  sub: "alice",
  key: "order-1",
};

test("ids have their prefix and a ULID that grows with the time", () => {
  assert.match(newRequestId(), /^req_[0-9A-HJKMNP-TV-Z]{26}$/);
  assert.match(newDraftId(), /^drf_[0-9A-HJKMNP-TV-Z]{26}$/);
  assert.match(newMessageId(), /^msg_[0-9A-HJKMNP-TV-Z]{26}$/);
  const ids = Array.from({ length: 1000 }, newMessageId);
  const times = ids.map((id) => id.slice("msg_".length, "msg_".length + 10));
  assert.deepEqual(times.toSorted(), times);
  assert.equal(new Set(ids).size, ids.length);
});

test("an activation id is a UUID v7: unique, and growing with time", () => {
  const ids = Array.from({ length: 1000 }, newActivationId);
  for (const id of ids)
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(new Set(ids).size, ids.length);
  const times = ids.map((id) => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16));
  assert.deepEqual(
    times.toSorted((a, b) => a - b),
    times,
  );
  assert.ok(Math.abs((times[0] ?? 0) - Date.now()) < 60_000);
});

test("the same idempotency scope gives the same UUID v5, any other part another", () => {
  const id = idempotentActivationId(scope);
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(idempotentActivationId({ ...scope }), id);
  for (const part of Object.keys(scope) as (keyof typeof scope)[]) {
    assert.notEqual(idempotentActivationId({ ...scope, [part]: `${scope[part]}x` }), id, part);
  }
});

test("a tick of a schedule has one id for ever, and no other tick or schedule has it", () => {
  const uid = "0b0f3c5e-9a70-4b4e-8a5c-3f1f4f2f6a01";
  // Written down: an id that changed with a release would run the tick around an update twice.
  assert.equal(tickActivationId(uid, 1), "79fba667-5e06-55f9-8750-d77284b9750b");
  assert.notEqual(tickActivationId(uid, 2), tickActivationId(uid, 1));
  assert.notEqual(tickActivationId(uid.replace("1", "2"), 1), tickActivationId(uid, 1));
});

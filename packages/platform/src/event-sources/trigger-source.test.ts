import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { triggerSource } from "./trigger-source.ts";

const SOURCE = { name: "orders", type: "sqs" } as const;

const sourceOf = (ids: readonly string[]) =>
  triggerSource(SOURCE, {
    partition: "all",
    messages: ids.map((id) => ({ id, attempt: 1, json: "{}", match: {} })),
    attempt: 2,
  });

test("the record of a batch names each of its messages", () => {
  assert.deepEqual(sourceOf(["a", "b", "c"]), {
    event_source: "orders",
    event_source_type: "sqs",
    partition: "all",
    message_id: "a",
    last_message_id: "c",
    message_ids: ["a", "b", "c"],
    messages: 3,
    attempt: 2,
  });
  assert.equal(Object.hasOwn(sourceOf(["a"]), "message_ids"), false);
});

test("the record names the activations that published what is in it", () => {
  const messages = ["a", "b", "a"].map((publishedBy, n) => ({
    id: `m${n}`,
    attempt: 1,
    json: "{}",
    match: {},
    publishedBy,
  }));
  const { published_by } = triggerSource(SOURCE, { partition: "all", messages, attempt: 1 });
  assert.deepEqual(published_by, ["a", "b"]);
  assert.equal(Object.hasOwn(sourceOf(["a"]), "published_by"), false);
});

test("of a batch with more ids than there is room for it names the first ones, and the last", () => {
  const ids = Array.from({ length: 1000 }, () => randomUUID());
  const { message_ids = [], last_message_id, messages } = sourceOf(ids);
  assert.deepEqual(message_ids, ids.slice(0, message_ids.length));
  assert.ok(message_ids.length > 400 && message_ids.length < 1000, String(message_ids.length));
  assert.ok(Buffer.byteLength(JSON.stringify(message_ids)) <= 16 * 1024);
  assert.deepEqual([last_message_id, messages], [ids.at(-1), 1000]);
});

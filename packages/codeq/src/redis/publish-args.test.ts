import assert from "node:assert/strict";
import { test } from "node:test";
import { type Publishing, publishArgs } from "./publish-args.ts";

const NOW_MS = 1_750_000_000_000;

function publishing(id: string, fields: Partial<Publishing["message"]> = {}, durable = true): Publishing {
  return {
    message: {
      id,
      topic: "work",
      tenant: "t_default",
      lane: "default/f",
      body: `body of ${id}`,
      attempt: 1,
      enqueued_at_ms: NOW_MS - 1,
      due_at_ms: 0,
      expires_at_ms: NOW_MS + 60_000,
      ...fields,
    },
    options: { depthMax: 10, durable },
  };
}

test("messages in a row that differ in id and body only share what is said of them, and their bodies one text", () => {
  const head = ["t_default", "default/f", 1, NOW_MS - 1, 0, NOW_MS + 60_000, -NOW_MS, 60_000, 10];
  const items = [publishing("a"), publishing("b"), publishing("c", {}, false), publishing("d")];
  const groups = [
    [2, ...head, 1, "a", "b", "body of a\u001fbody of b"],
    [1, ...head, 0, "c", "body of c"],
    [1, ...head, 1, "d", "body of d"],
  ];
  assert.deepEqual(publishArgs(items, NOW_MS), groups.flat());
});

test("each field but id and body tells messages apart", () => {
  const others: Publishing[] = [
    publishing("b", { tenant: "t_other1" }),
    publishing("b", { lane: "default/g" }),
    publishing("b", { attempt: 2 }),
    publishing("b", { enqueued_at_ms: NOW_MS }),
    publishing("b", { due_at_ms: NOW_MS + 5 }),
    publishing("b", { expires_at_ms: NOW_MS + 5 }),
    publishing("b", {}, false),
    { ...publishing("b"), options: { depthMax: 9, durable: true } },
  ];
  for (const other of others) {
    const args = publishArgs([publishing("a"), other], NOW_MS);
    assert.deepEqual([args[0], args[13], args.length], [1, 1, 26]);
  }
});

test("a body that could not be told from others in one text stands by itself", () => {
  for (const body of ["", "two\u001fparts"]) {
    const odd = { ...publishing("odd"), message: { ...publishing("odd").message, body } };
    const args = publishArgs([publishing("a"), odd, publishing("b")], NOW_MS);
    assert.deepEqual([args[0], args[13], args[25], args[26], args.length], [1, 1, body, 1, 39]);
  }
});

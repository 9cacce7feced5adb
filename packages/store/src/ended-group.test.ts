import assert from "node:assert/strict";
import test from "node:test";
import { newActivationId } from "@sous/contract";
import { finished, sampleActivation } from "./contract-suite/samples.ts";
import { EndedGroup, GROUP_ENDS_MAX, GROUP_SPAN_MS, idMoment, readGroup } from "./ended-group.ts";

const end = (change = {}) =>
  finished(sampleActivation({ mode: "sync", enqueued_at_ms: Date.now(), ...change }));

test("a group finds what was added to it, for its tenant alone", () => {
  const group = new EndedGroup();
  const records = [end(), end(), end()];
  for (const record of records) assert.equal(group.add(record, ["line"]), true);
  for (const record of records) {
    assert.deepEqual(group.find("t_default", record.activation_id), { record, lines: ["line"] });
    assert.equal(group.find("t_other1", record.activation_id), undefined);
  }
  assert.equal(group.find("t_default", newActivationId()), undefined);
  assert.deepEqual(
    group.ends().map(({ record }) => record),
    records,
  );
});

test("a group keeps what few ends have: budgets that were used or passed, the depth of calls, cookies", () => {
  const group = new EndedGroup();
  const usage = { timers: 2, open_fetches: 3, external_memory_bytes: 4 };
  const error = {
    type: "BudgetExceeded" as const,
    message: "too much",
    details: { budget: "cpu_ms", limit: 5 },
  };
  const result = { statusCode: 200, headers: {}, cookies: ["a=1", "b=2"], body: "", isBase64Encoded: false };
  const records = [end({ usage }), end({ depth: 3 }), { ...finished(end(), "error"), error }];
  records.push({ ...end(), result });
  for (const record of records) assert.equal(group.add(record, []), true);
  for (const record of records) {
    assert.deepEqual(group.find("t_default", record.activation_id)?.record, record);
  }
});

test("a group tells apart who ran what", () => {
  const group = new EndedGroup();
  const records = [end({ invoker: "m-a" }), end({ invoker: "m-b" }), end(), end({ invoker: "m-a" })];
  for (const record of records) assert.equal(group.add(record, []), true);
  assert.deepEqual(
    group.ends().map(({ record }) => record),
    records,
  );
});

test("what all ends of a group have is printed once, and what differs for each", () => {
  const result = { statusCode: 200, headers: { "x-a": "b" }, body: "the same", isBase64Encoded: false };
  const other = { ...result, statusCode: 201, headers: {}, body: "another" };
  const same = Array.from({ length: 20 }, () => ({ ...end(), result }));
  for (const records of [same, [...same, { ...end(), result: other }]]) {
    const group = new EndedGroup();
    for (const record of records) assert.equal(group.add(record, []), true);
    const text = group.toText();
    assert.equal(text.split("the same").length - 1, records === same ? 1 : same.length);
    assert.deepEqual(
      readGroup(text).map(({ record }) => record),
      records,
    );
  }
});

test("a group full of text is full, however few its ends, wherever the text is", () => {
  const text = "x".repeat(300_000);
  const result = { statusCode: 200, headers: {}, body: "", isBase64Encoded: false };
  const error = { type: "Exception" as const, message: text };
  const full = {
    body: () => ({ ...end(), result: { ...result, body: text } }),
    headers: () => ({ ...end(), result: { ...result, headers: { "x-a": text } } }),
    cookies: () => ({ ...end(), result: { ...result, cookies: [text] } }),
    error: () => ({ ...finished(end(), "error"), error }),
  };
  for (const [where, big] of Object.entries(full)) {
    const group = new EndedGroup();
    for (let n = 0; n < 4; n++) assert.equal(group.add(big(), []), true, where);
    assert.equal(group.add(big(), []), false, where);
  }
});

test("groups that an earlier release wrote row by row are read", () => {
  const record = end();
  const group = new EndedGroup();
  for (const each of [record, end()]) group.add(each, []);
  const { baseMs, columns, commons } = JSON.parse(group.toText()) as Record<string, unknown[]>;
  const ends = [0, 1].map((at) =>
    columns?.map((column) => (Array.isArray(column) ? (column as unknown[])[at] : column)),
  );
  const [first, second] = readGroup(JSON.stringify({ baseMs, ends, commons }));
  assert.deepEqual(first?.record, record);
  assert.notEqual(second?.record.activation_id, record.activation_id);
});

test("a group counts its ends and failures by function", () => {
  const group = new EndedGroup();
  group.add(end(), []);
  group.add(finished(end({ function: "other", ref: { function: "other", version: 1 } }), "error"), []);
  group.add(finished(end({ function: "other", ref: { function: "other", version: 2 } }), "timeout"), []);
  assert.deepEqual(
    group.parts.map((part) => [part.function, part.failed]),
    [
      ["hello", 0],
      ["other", 2],
    ],
  );
});

test("a group takes first attempts with an id of version 7, close in time, within its bounds", () => {
  const group = new EndedGroup();
  assert.equal(group.add(end({ activation_id: "cfbff0d1-9375-5685-968c-48ce8b15ae17" }), []), false);
  assert.equal(group.add(end({ attempt: 2 }), []), false);
  assert.equal(group.add(end({ enqueued_at_ms: Date.now() - GROUP_SPAN_MS - 500 }), []), false);
  assert.equal(group.add(end(), ["x".repeat(20_000)]), false);
  for (let n = 0; n < GROUP_ENDS_MAX; n++) assert.equal(group.add(end(), []), true);
  assert.equal(group.add(end(), []), false);
});

test("the moment of an id is read from version 7 alone", () => {
  const before = Date.now();
  const moment = idMoment(newActivationId());
  assert.ok(moment !== undefined && moment >= before && moment <= Date.now());
  assert.equal(idMoment("cfbff0d1-9375-5685-968c-48ce8b15ae17"), undefined);
  assert.equal(idMoment("7"), undefined);
});

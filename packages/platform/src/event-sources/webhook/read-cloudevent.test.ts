import assert from "node:assert/strict";
import test from "node:test";
import { CloudEvent, HTTP } from "cloudevents";
import { PlatformError } from "@sous/contract";
import { isCloudEvent, readCloudEvents } from "./read-cloudevent.ts";

const EVENT = { id: "1", source: "/shop/east", type: "order.created", subject: "ü b", extra: "1" };

/** A message of the official SDK, with header names as a server sees them. */
function sent(message: { headers: object; body: unknown }): [Record<string, string>, Buffer] {
  const headers = Object.fromEntries(
    Object.entries(message.headers).map(([name, value]) => [
      name.toLowerCase(),
      encodeURI(String(value)).replaceAll("%22", '"'),
    ]),
  );
  return [headers, Buffer.from(String(message.body))];
}

test("what the official SDK sends is understood, binary and structured", () => {
  const event = new CloudEvent({
    ...EVENT,
    data: { n: 1 },
    datacontenttype: "application/json",
    time: "2026-11-28T02:00:00Z",
  });
  for (const mode of ["binary", "structured"] as const) {
    const [headers, body] = sent(HTTP[mode](event));
    assert.ok(isCloudEvent(headers), mode);
    const [read] = readCloudEvents(headers, body);
    assert.deepEqual(
      { ...read, time: new Date(String(read?.["time"])).toISOString() },
      {
        specversion: "1.0",
        ...EVENT,
        datacontenttype: read?.["datacontenttype"],
        data: { n: 1 },
        time: "2026-11-28T02:00:00.000Z",
      },
      mode,
    );
  }
});

test("data is a value, text or bytes by its type, or absent", () => {
  const binary = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-type": "t" };
  const dataOf = (type: string | undefined, body: string | Buffer) => {
    const headers = type === undefined ? binary : { ...binary, "content-type": type };
    const [event] = readCloudEvents(headers, Buffer.from(body));
    return event?.["data"] ?? event?.["data_base64"];
  };
  assert.deepEqual(dataOf("application/vnd.x+json; charset=utf-8", "[1]"), [1]);
  assert.equal(dataOf("text/plain", "[1]"), "[1]");
  assert.equal(dataOf("application/octet-stream", Buffer.from([0, 255])), "AP8=");
  assert.equal(dataOf(undefined, Buffer.from([1])), "AQ==");
  assert.equal(dataOf("application/json", ""), undefined);
});

test("a batch is read whole or not at all", () => {
  const type = { "content-type": "application/cloudevents-batch+json" };
  const event = { specversion: "1.0", id: "1", source: "s", type: "t" };
  assert.equal(readCloudEvents(type, Buffer.from(JSON.stringify([event, event]))).length, 2);
  assert.deepEqual(readCloudEvents(type, Buffer.from("[]")), []);
  for (const bad of [event, [event, {}], Array.from({ length: 1001 }, () => event)]) {
    assert.throws(() => readCloudEvents(type, Buffer.from(JSON.stringify(bad))), {
      code: "CS_VALIDATION_FAILED",
    });
  }
});

test("what is no CloudEvent 1.0 is refused with what is wrong", () => {
  const good = { specversion: "1.0", id: "1", source: "s", type: "t" };
  const bad: [unknown, RegExp][] = [
    [null, /an object/],
    [{ ...good, specversion: "0.3" }, /specversion/],
    [{ ...good, id: "" }, /id is missing/],
    [{ ...good, source: undefined }, /source is missing/],
    [{ ...good, type: 5 }, /type is missing/],
    [{ ...good, Extra: "x" }, /"Extra" is no name/],
    [{ ...good, extra: { a: 1 } }, /attribute extra is neither/],
    [{ ...good, extra: 1.5 }, /attribute extra is neither/],
    [{ ...good, extra: "x".repeat(4097) }, /more than 4096/],
    [{ ...good, data: 1, data_base64: "AA==" }, /exclude/],
    [{ ...good, time: "yesterday" }, /time is no timestamp/],
    [
      Object.fromEntries([...Object.entries(good), ...Array.from({ length: 70 }, (_, at) => [`x${at}`, 1])]),
      /at most 64/,
    ],
  ];
  const type = { "content-type": "application/cloudevents+json" };
  for (const [event, message] of bad) {
    assert.throws(
      () => readCloudEvents(type, Buffer.from(JSON.stringify(event))),
      (error) => error instanceof PlatformError && message.test(error.message),
      JSON.stringify(event).slice(0, 100),
    );
  }
  assert.throws(() => readCloudEvents(type, Buffer.from("{")), /not JSON/);
  const headers = { "ce-specversion": "1.0", "ce-id": "%zz", "ce-source": "s", "ce-type": "t" };
  assert.throws(() => readCloudEvents(headers, Buffer.alloc(0)), /not properly encoded/);
});

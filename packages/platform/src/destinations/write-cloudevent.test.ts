import assert from "node:assert/strict";
import test from "node:test";
import { type CloudEvent, HTTP } from "cloudevents";
import { DESTINATION_CONDITIONS, LIMITS } from "@sous/contract";
import type { DestinationTask } from "../activations/destination-task.ts";
import { cloudEventHeaders, STRUCTURED_TYPE, structuredCloudEvent } from "./write-cloudevent.ts";

const RECORD = { version: "1.0", requestPayload: { city: "Zürich 🎈", quote: '"%' }, responsePayload: null };

const task = (over: Partial<DestinationTask> = {}): DestinationTask => ({
  activation_id: "3f0c9a52-7d7e-4a30-9b7e-0d0a5f1c2b3d",
  request_id: "req_12345678",
  tenant: "t_default",
  namespace: "default",
  function: "report",
  version: 7,
  condition: "on_success",
  destination: { topic: "done" },
  depth: 1,
  principal: { sub: "anonymous", roles: [] },
  ended_at_ms: 1_780_000_001_000,
  event_json: JSON.stringify(RECORD),
  ...over,
});
const ID = `dst_${task().activation_id}`;

const ATTRIBUTES = {
  specversion: "1.0",
  id: ID,
  source: "/v1/tenants/t_default/namespaces/default/functions/report",
  subject: task().activation_id,
  time: "2026-05-28T20:26:41.000Z",
  datacontenttype: "application/json",
};

/** Both content modes of a task, as they go out. */
const written = (of: DestinationTask) => [
  { headers: cloudEventHeaders(ID, of), body: of.event_json },
  { headers: { "content-type": STRUCTURED_TYPE }, body: structuredCloudEvent(ID, of) },
];

test("the official SDK reads both content modes, and finds the same event in them", () => {
  const types = { on_success: "cs.activation.succeeded", on_failure: "cs.activation.failed" } as const;
  for (const condition of DESTINATION_CONDITIONS) {
    for (const message of written(task({ condition }))) {
      const event = HTTP.toEvent(message) as CloudEvent<unknown>;
      assert.ok(event.validate());
      const expected = { ...ATTRIBUTES, type: types[condition], data: RECORD };
      assert.deepEqual(JSON.parse(JSON.stringify(event)), expected);
    }
  }
});

test("the largest record and the longest names are within what a webhook of the platform takes", () => {
  const payload = "x".repeat(LIMITS.destinationPayloadBytesMax - 2);
  const event_json = JSON.stringify({ requestPayload: payload, responsePayload: payload });
  const longest = task({
    tenant: `t_${"a".repeat(64)}`,
    namespace: "n".repeat(64),
    function: "f".repeat(64),
    event_json,
  });
  for (const { headers, body } of written(longest)) {
    assert.ok(Buffer.byteLength(body) < LIMITS.eventBodyBytesMax);
    const event = HTTP.toEvent({ headers, body }) as CloudEvent<unknown>;
    assert.deepEqual(event.data, JSON.parse(event_json));
  }
});

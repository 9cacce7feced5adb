import assert from "node:assert/strict";
import test from "node:test";
import { type FunctionError, type Invocation, LIMITS } from "@sous/contract";
import type { TerminalRecord } from "@sous/store";
import { destinationEvent } from "./destination-event.ts";
import { LiveActivation } from "./live-activation.ts";
import { destinationMessage } from "./destination-task.ts";

const ID = "3f0c9a52-7d7e-4a30-9b7e-0d0a5f1c2b3d";

const invocation = (over: Partial<Invocation> = {}): Invocation => ({
  activation_id: ID,
  request_id: "req_12345678",
  tenant: "t_default",
  namespace: "default",
  ref: { function: "hello", alias: "prod", version: 7 },
  trigger: { type: "api", source: {} },
  principal: { sub: "anonymous", roles: ["admin"] },
  deadline_ms: 0,
  mode: "async",
  expires_at_ms: 2_000_000_000_000,
  attempt: 2,
  enqueued_at_ms: 1_780_000_000_000,
  new_id: true,
  strict: false,
  event_json: '{"n":1}',
  ...over,
});

function record(over: Partial<TerminalRecord> = {}, of = invocation()): TerminalRecord {
  const queued = new LiveActivation(of, 7, "isolate").record();
  return { ...queued, status: "success", end_ms: 1_780_000_001_000, duration_ms: 12, ...over };
}

const answer = (body: string) => ({ statusCode: 201, headers: {}, body, isBase64Encoded: false });
const parse = (over: Partial<TerminalRecord>, of = invocation()) =>
  JSON.parse(destinationEvent(of, record(over, of), "on_success")) as Record<string, Record<string, unknown>>;

test("a success has the shape of Lambda's record, with our fields beside", () => {
  assert.deepEqual(parse({ result: answer('{"ok":true}') }), {
    version: "1.0",
    timestamp: "2026-05-28T20:26:41.000Z",
    requestContext: {
      requestId: ID,
      functionArn: "cs:t_default:default:function/hello:version/7",
      condition: "Success",
      approximateInvokeCount: 2,
      destination: "on_success",
      activation_id: ID,
      request_id: "req_12345678",
      tenant: "t_default",
      namespace: "default",
      function: "hello",
      version: 7,
      alias: "prod",
      status: "success",
      duration_ms: 12,
      payload_truncated: false,
    },
    requestPayload: { n: 1 },
    responseContext: { statusCode: 201, executedVersion: "7", result_truncated: false },
    responsePayload: { ok: true },
  });
});

test("an answer that is no JSON is text, an empty one null, bytes stay base64", () => {
  assert.equal(parse({ result: answer("plain") })["responsePayload"], "plain");
  assert.equal(parse({ result: answer("") })["responsePayload"], null);
  const bytes = { ...answer("AAEC"), isBase64Encoded: true };
  assert.equal(parse({ result: bytes })["responsePayload"], "AAEC");
});

test("a failure says what went wrong, and why it is the end", () => {
  const failed = (error: FunctionError) => {
    const event = parse({ status: "error", error });
    return [event["requestContext"]?.["condition"], event["responseContext"]?.["functionError"]];
  };
  assert.deepEqual(failed({ type: "Exception", message: "no" }), ["RetriesExhausted", "Unhandled"]);
  assert.deepEqual(failed({ type: "Expired", message: "old" }), ["EventAgeExceeded", "Unhandled"]);
  assert.deepEqual(failed({ type: "CapabilityDenied", message: "no" }), ["NotRetryable", "Unhandled"]);
  const { responsePayload } = parse({
    status: "error",
    error: { type: "Exception", message: "no", stack: "Error: no\n    at handle" },
  });
  assert.deepEqual(responsePayload, {
    errorType: "Exception",
    errorMessage: "no",
    trace: ["Error: no", "    at handle"],
  });
});

test("a payload over its bound is left out and said to be", () => {
  const most = LIMITS.destinationPayloadBytesMax;
  const fits = invocation({ event_json: JSON.stringify("x".repeat(most - 2)) });
  assert.equal(parse({}, fits)["requestContext"]?.["payload_truncated"], false);
  const over = invocation({ event_json: JSON.stringify("x".repeat(most - 1)) });
  const event = parse({ result: answer(JSON.stringify("y".repeat(most))) }, over);
  assert.equal(event["requestPayload"], null);
  assert.equal(event["requestContext"]?.["payload_truncated"], true);
  assert.equal(event["responsePayload"], null);
  assert.equal(event["responseContext"]?.["result_truncated"], true);
});

test("each end has its own destination, one message, and a cancelled activation none", () => {
  const destinations = { on_success: { topic: "done" }, on_failure: { function: "mend@prod" } };
  const of = invocation({ destinations, depth: 3 });
  const told = destinationMessage(of, record({}, of), 5);
  assert.equal(told?.id, `dst_${ID}`);
  assert.deepEqual([told?.body.destination, told?.body.depth], [destinations.on_success, 4]);
  const failed = destinationMessage(of, record({ status: "timeout" }, of), 5);
  assert.deepEqual(failed?.body.destination, destinations.on_failure);
  assert.equal(destinationMessage(of, record({ status: "cancelled" }, of), 5), undefined);
  const half = invocation({ destinations: { on_failure: { topic: "failed" } } });
  assert.equal(destinationMessage(half, record({}, half), 5), undefined);
});

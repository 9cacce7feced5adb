import assert from "node:assert/strict";
import test from "node:test";
import {
  type ErrorReply,
  type EventSourcePage,
  type EventSourceReply,
  type EventSourceStatusReply,
  LIMITS,
} from "@sous/contract";
import { sourceTopic } from "../events/event-resources.ts";
import { type InboxBody, type InboxQueue, putIntoInbox } from "../events/inbox.ts";
import { deploy } from "./testing/sample-function.ts";
import { startControl } from "./testing/start-control.ts";

const SOURCES = "/v1/tenants/t_default/namespaces/default/event-sources";
const HELLO = { function: "hello", alias: "prod" };
const AUTHZ = {
  authz: {
    invoke_http_roles: [],
    invoke_schedule_roles: [],
    invoke_cadence_roles: [],
    invoke_event_roles: ["role:worker"],
  },
};
const orders = { name: "orders", type: "codeq", ref: HELLO, codeq: { topic: "orders.created" } };

const outcome = ({ status, body }: { status: number; body: unknown }) => [
  status,
  (body as ErrorReply).error.code,
];

async function startWithHello(config: object = AUTHZ) {
  const control = await startControl();
  await deploy(control, "hello", config, "prod");
  return control;
}

test("an event source is created with its defaults, read, listed and deleted", async () => {
  await using control = await startWithHello();
  const { nowMs } = control.state;
  const made = await control.call<EventSourceReply>("POST", SOURCES, orders);
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const { uid, ...shown } = made.body;
  assert.match(uid, /^[0-9a-f-]{36}$/);
  assert.deepEqual(shown, {
    tenant: "t_default",
    namespace: "default",
    ...orders,
    batch_size: 10,
    batch_window_ms: 0,
    filters: [],
    parallelism: 5,
    bisect_on_error: true,
    retry: { max_attempts: 3, backoff_ms: 1000, backoff_max_ms: 60_000 },
    max_record_age_ms: 604_800_000,
    start_position: "latest",
    enabled: true,
    created_at_ms: nowMs,
    updated_at_ms: nowMs,
    generation: 1,
    warnings: [],
  });
  assert.deepEqual((await control.call("GET", `${SOURCES}/orders`)).body, made.body);
  const { warnings, ...item } = made.body;
  const list = await control.call<EventSourcePage>("GET", SOURCES);
  assert.deepEqual([list.body, warnings], [{ items: [item], next_cursor: null }, []]);
  assert.match(control.lines.join("\n"), /"type":"EventSourceCreated".*"event_source":"orders"/);
  assert.deepEqual(outcome(await control.call("POST", SOURCES, orders)), [409, "CS_CONFLICT"]);
  assert.deepEqual((await control.call("DELETE", `${SOURCES}/orders`)).body, { status: "deleted" });
  for (const method of ["GET", "DELETE"]) {
    assert.deepEqual(outcome(await control.call(method, `${SOURCES}/orders`)), [404, "CS_NOT_FOUND"]);
  }
});

test("what waits for an event source goes with it", async () => {
  await using control = await startWithHello();
  const made = await control.call<EventSourceReply>("POST", SOURCES, orders);
  const kept = await control.call<EventSourceReply>("POST", SOURCES, { ...orders, name: "others" });
  const inboxes = control.codeq as unknown as InboxQueue;
  const body: InboxBody = { kind: "topic", id: "m1", topic: "orders.created", payload_json: "1", depth: 0 };
  for (const source of [made.body, kept.body]) await putIntoInbox(inboxes, source, body, control.state.nowMs);
  assert.equal((await control.call("DELETE", `${SOURCES}/orders`)).status, 200);
  assert.deepEqual(await inboxes.depth(sourceTopic(made.body)), []);
  assert.equal((await inboxes.depth(sourceTopic(kept.body)))[0]?.ready, 1);
});

test("a change counts the generation up, and one that was read before somebody else's change is refused", async () => {
  await using control = await startWithHello();
  await control.call("POST", SOURCES, orders);
  const patch = (body: object) => control.call<EventSourceReply>("PATCH", `${SOURCES}/orders`, body);
  const changed = (await patch({ batch_size: 50, retry: { max_attempts: 5 }, generation: 1 })).body;
  assert.deepEqual(
    [changed.generation, changed.batch_size, changed.retry],
    [2, 50, { max_attempts: 5, backoff_ms: 1000, backoff_max_ms: 60_000 }],
  );
  assert.deepEqual(outcome(await patch({ batch_size: 60, generation: 1 })), [409, "CS_STORE_CAS_FAILED"]);
  assert.deepEqual(outcome(await patch({})), [400, "CS_VALIDATION_FAILED"]);
  assert.deepEqual(outcome(await patch({ ref: { function: "nobody" } })), [404, "CS_NOT_FOUND"]);
});

test("null takes an ordering key and a destination away, and nothing else", async () => {
  await using control = await startWithHello();
  const on_failure = { topic: "failed" };
  await control.call("POST", SOURCES, { ...orders, ordering_key: "body.id", on_failure });
  const patch = (body: object) => control.call<EventSourceReply>("PATCH", `${SOURCES}/orders`, body);
  const first = (await patch({ ordering_key: null })).body;
  assert.deepEqual([Object.hasOwn(first, "ordering_key"), first.on_failure], [false, on_failure]);
  const second = (await patch({ on_failure: null, ordering_key: "body.key" })).body;
  assert.deepEqual([second.ordering_key, Object.hasOwn(second, "on_failure")], ["body.key", false]);
  const { warnings: _none, ...item } = second;
  assert.deepEqual((await control.call<EventSourcePage>("GET", SOURCES)).body.items, [item]);
  assert.deepEqual(outcome(await patch({ ref: null })), [400, "CS_VALIDATION_FAILED"]);
  const another = { ...orders, name: "another", ordering_key: null };
  assert.deepEqual(outcome(await control.call("POST", SOURCES, another)), [400, "CS_VALIDATION_FAILED"]);
});

test("pause and resume say so in its status", async () => {
  await using control = await startWithHello();
  await control.call("POST", SOURCES, orders);
  const state = async () =>
    (await control.call<EventSourceStatusReply>("GET", `${SOURCES}/orders/status`)).body.state;
  assert.equal(await state(), "starting", "nobody reads it here");
  const paused = await control.call<EventSourceReply>("POST", `${SOURCES}/orders:pause`);
  assert.deepEqual([paused.body.enabled, await state()], [false, "paused"]);
  const resumed = await control.call<EventSourceReply>("POST", `${SOURCES}/orders:resume`);
  assert.deepEqual([resumed.body.enabled, resumed.body.generation, await state()], [true, 3, "starting"]);
});

test("what will not work yet is told, and does not stand in the way", async () => {
  await using control = await startWithHello({});
  const hook = { name: "hook", type: "webhook", ref: HELLO };
  const signature = { scheme: "github", secret: "hook-key" };
  const made = await control.call<EventSourceReply>("POST", SOURCES, { ...hook, webhook: { signature } });
  assert.equal(made.body.url, "/v1/events/t_default/default/hook");
  assert.match(made.body.warnings.join("\n"), /lets no event source run it.*invoke_event_roles/);
  assert.match(
    made.body.warnings.join("\n"),
    /secret hook-key has no value; set it with `cs secret set hook-key`/,
  );
  await control.call("DELETE", "/v1/tenants/t_default/namespaces/default/functions/hello");
  const read = await control.call<EventSourceReply>("GET", `${SOURCES}/hook`);
  assert.match(read.body.warnings.join("\n"), /nothing is read: there is no function/);
  assert.equal((await control.call("POST", `${SOURCES}/hook:pause`)).status, 200);
});

test("what is not valid is refused with its code", async () => {
  await using control = await startWithHello();
  const sqs = { queue_url: "https://sqs.us-east-1.amazonaws.com/1/q", credentials: "aws" };
  const bad: [object, number, string][] = [
    [{ ...orders, type: "kafka" }, 400, "CS_VALIDATION_FAILED"],
    [{ ...orders, codeq: undefined }, 400, "CS_VALIDATION_FAILED"],
    [{ ...orders, webhook: {} }, 400, "CS_VALIDATION_FAILED"],
    [{ ...orders, codeq: { topic: "cs.invoke" } }, 400, "CS_VALIDATION_FAILED"],
    [{ ...orders, batch_size: 0 }, 400, "CS_VALIDATION_FAILED"],
    [{ ...orders, batch_size: LIMITS.eventBatchMax + 1 }, 400, "CS_VALIDATION_FAILED"],
    [{ ...orders, filters: Array.from({ length: 11 }, () => ({ a: [1] })) }, 400, "CS_VALIDATION_FAILED"],
    [{ ...orders, filters: [{ a: [{ prefx: "x" }] }] }, 400, "CS_VALIDATION_FAILED"],
    [{ ...orders, retry: { max_attempts: 0 } }, 400, "CS_VALIDATION_FAILED"],
    [{ ...orders, on_failure: { topic: "cs.dlq" } }, 400, "CS_VALIDATION_FAILED"],
    [{ ...orders, queue: "x" }, 400, "CS_VALIDATION_FAILED"],
    [{ ...orders, ref: { ...HELLO, version: 1 } }, 400, "CS_VALIDATION_FAILED"],
    [{ ...orders, ref: { function: "nobody" } }, 404, "CS_NOT_FOUND"],
    [
      { ...orders, type: "sqs", codeq: undefined, sqs: { ...sqs, queue_url: "ftp://x" } },
      400,
      "CS_VALIDATION_FAILED",
    ],
    [
      { ...orders, type: "sqs", codeq: undefined, sqs: { queue_url: sqs.queue_url } },
      400,
      "CS_VALIDATION_FAILED",
    ],
    [{ ...orders, name: "Bad" }, 400, "CS_VALIDATION_NAME_INVALID"],
  ];
  for (const [body, status, code] of bad) {
    const answer = await control.call("POST", SOURCES, body);
    assert.deepEqual(outcome(answer), [status, code], JSON.stringify(body));
  }
  const queue = await control.call("POST", SOURCES, {
    ...orders,
    type: "sqs",
    codeq: undefined,
    sqs,
    retry: { max_attempts: 0 },
  });
  assert.equal(queue.status, 201, JSON.stringify(queue.body));
});

test("without the role nothing is read, made or deleted", async () => {
  await using control = await startControl({
    auth: () => ({
      authenticate: () => ({
        tenant: "t_default",
        principal: { sub: "ada", roles: ["cs:eventsource:read"] },
      }),
      forget() {},
      [Symbol.asyncDispose]: async () => {},
    }),
  });
  const { call } = control;
  assert.equal((await call("GET", SOURCES)).status, 200);
  for (const [method, path] of [
    ["POST", ""],
    ["PATCH", "/orders"],
    ["DELETE", "/orders"],
    ["POST", "/orders:pause"],
  ]) {
    assert.deepEqual(outcome(await call(method ?? "", `${SOURCES}${path}`, {})), [403, "CS_AUTHZ_DENIED"]);
  }
});

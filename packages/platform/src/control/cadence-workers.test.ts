import assert from "node:assert/strict";
import test from "node:test";
import type { CadenceWorkerPage, CadenceWorkerReply, ErrorReply } from "@sous/contract";
import { deploy } from "./testing/sample-function.ts";
import { startControl, type StartOptions } from "./testing/start-control.ts";

const WORKERS = "/v1/tenants/t_default/namespaces/default/cadence/workers";
const HELLO = { function: "hello", alias: "prod" };
const AUTHZ = {
  authz: { invoke_http_roles: [], invoke_schedule_roles: [], invoke_cadence_roles: ["role:cadence"] },
};
const orders = {
  name: "orders",
  domain: "shop",
  tasklist: "charge",
  worker_id: "w1",
  activity_map: { "main.Charge": HELLO },
};

const outcome = ({ status, body }: { status: number; body: unknown }) => [
  status,
  (body as ErrorReply).error.code,
];

async function startWithHello(config: object = AUTHZ, options: StartOptions = {}) {
  const control = await startControl({ hasCadence: true, ...options });
  await deploy(control, "hello", config, "prod");
  return control;
}

test("a worker is created with its defaults, listed, read and audited", async () => {
  let changes = 0;
  await using control = await startWithHello(AUTHZ, { onCadenceChange: () => changes++ });
  const { nowMs } = control.state;
  const made = await control.call<CadenceWorkerReply>("POST", WORKERS, orders);
  assert.equal(made.status, 201, JSON.stringify(made.body));
  assert.deepEqual(made.body, {
    tenant: "t_default",
    namespace: "default",
    ...orders,
    pollers: { activity: 1 },
    limits: { max_inflight_tasks: 256 },
    result: "envelope",
    enabled: true,
    generation: 1,
    created_at_ms: nowMs,
    updated_at_ms: nowMs,
    warnings: [],
  });
  assert.deepEqual((await control.call("GET", `${WORKERS}/orders`)).body, made.body);
  const { warnings: _, ...item } = made.body;
  const list = await control.call<CadenceWorkerPage>("GET", WORKERS);
  assert.deepEqual(list.body, { items: [item], next_cursor: null });
  assert.match(control.lines.join("\n"), /"type":"CadenceWorkerCreated".*"tasklist":"charge"/);
  assert.deepEqual(outcome(await control.call("POST", WORKERS, orders)), [409, "CS_CONFLICT"]);
  assert.equal(changes, 1, "whoever polls is told");
});

test("a change counts the generation up and leaves the rest as it was", async () => {
  await using control = await startWithHello();
  await control.call("POST", WORKERS, orders);
  const patch = (body: object) => control.call<CadenceWorkerReply>("PATCH", `${WORKERS}/orders`, body);
  const changed = (await patch({ limits: { max_inflight_tasks: 3 } })).body;
  assert.deepEqual([changed.generation, changed.limits.max_inflight_tasks, changed.domain], [2, 3, "shop"]);
  assert.equal((await patch({ enabled: false })).body.enabled, false);
  assert.deepEqual(outcome(await patch({})), [400, "CS_VALIDATION_FAILED"]);
  const nowhere = await patch({ activity_map: { A: { function: "nobody" } } });
  assert.deepEqual(outcome(nowhere), [404, "CS_NOT_FOUND"]);
  const missing = await control.call("PATCH", `${WORKERS}/missing`, { enabled: false });
  assert.deepEqual(outcome(missing), [404, "CS_NOT_FOUND"]);
});

test("changes at the same time all count", async () => {
  await using control = await startWithHello();
  await control.call("POST", WORKERS, orders);
  const answers = await Promise.all(
    [11, 12, 13, 14].map((max_inflight_tasks) =>
      control.call<CadenceWorkerReply>("PATCH", `${WORKERS}/orders`, { limits: { max_inflight_tasks } }),
    ),
  );
  const made = answers.filter(({ status }) => status === 200).map(({ body }) => body.generation);
  const last = (await control.call<CadenceWorkerReply>("GET", `${WORKERS}/orders`)).body.generation;
  assert.deepEqual(
    made.toSorted((a, b) => a - b),
    Array.from({ length: last - 1 }, (_, at) => at + 2),
  );
});

test("a deleted worker is gone, and its name is free", async () => {
  await using control = await startWithHello();
  await control.call("POST", WORKERS, orders);
  const gone = await control.call("DELETE", `${WORKERS}/orders`);
  assert.deepEqual([gone.status, gone.body], [200, { status: "deleted" }]);
  for (const method of ["GET", "DELETE"]) {
    assert.deepEqual(outcome(await control.call(method, `${WORKERS}/orders`)), [404, "CS_NOT_FOUND"]);
  }
  assert.equal((await control.call("POST", WORKERS, orders)).status, 201);
});

test("what is not valid is refused with its code", async () => {
  await using control = await startWithHello();
  const many = Object.fromEntries(Array.from({ length: 257 }, (_, n) => [`A${n}`, HELLO]));
  const bad: [object, number, string][] = [
    [{ domain: "" }, 400, "CS_VALIDATION_FAILED"],
    [{ tasklist: "x".repeat(129) }, 400, "CS_VALIDATION_FAILED"],
    [{ activity_map: {} }, 400, "CS_VALIDATION_FAILED"],
    [{ activity_map: many }, 400, "CS_VALIDATION_FAILED"],
    [{ activity_map: { "": HELLO } }, 400, "CS_VALIDATION_FAILED"],
    [{ activity_map: { ["x".repeat(257)]: HELLO } }, 400, "CS_VALIDATION_FAILED"],
    [{ activity_map: { A: "hello@prod" } }, 400, "CS_VALIDATION_FAILED"],
    [{ activity_map: { A: { ...HELLO, version: 1 } } }, 400, "CS_VALIDATION_FAILED"],
    [{ activity_map: { A: { function: "nobody" } } }, 404, "CS_NOT_FOUND"],
    [{ activity_map: { A: { function: "hello", version: 9 } } }, 404, "CS_NOT_FOUND"],
    [{ pollers: { activity: 257 } }, 400, "CS_VALIDATION_FAILED"],
    [{ limits: { max_inflight_tasks: 0 } }, 400, "CS_VALIDATION_FAILED"],
    [{ result: "xml" }, 400, "CS_VALIDATION_FAILED"],
    [{ address: "10.0.0.1" }, 400, "CS_VALIDATION_FAILED"],
    [{ name: "Ab" }, 400, "CS_VALIDATION_NAME_INVALID"],
  ];
  for (const [change, status, code] of bad) {
    const answer = await control.call("POST", WORKERS, { ...orders, ...change });
    assert.deepEqual(outcome(answer), [status, code], JSON.stringify(change).slice(0, 200));
  }
});

test("a type called __proto__ is refused, and nothing takes it for a prototype", async () => {
  await using control = await startWithHello();
  const body = JSON.stringify({ ...orders, activity_map: {} }).replace(
    '"activity_map":{}',
    '"activity_map":{"__proto__":{"function":"hello"}}',
  );
  const made = await control.call("POST", WORKERS, body, { "content-type": "application/json" });
  assert.deepEqual(outcome(made), [400, "CS_VALIDATION_FAILED"]);
});

test("a namespace holds so many workers and not one more", async () => {
  await using control = await startWithHello(AUTHZ, { limits: { cadenceWorkersPerNamespaceMax: 2 } });
  const post = (name: string) => control.call("POST", WORKERS, { ...orders, name });
  assert.equal((await post("one")).status, 201);
  assert.equal((await post("two")).status, 201);
  assert.deepEqual(outcome(await post("three")), [409, "CS_CONFLICT"]);
});

test("what will not work is told of: no server, no role, no function", async () => {
  await using control = await startWithHello({}, { hasCadence: false });
  const made = await control.call<CadenceWorkerReply>("POST", WORKERS, orders);
  assert.match(made.body.warnings[0] ?? "", /no Cadence server is configured/);
  assert.match(
    made.body.warnings[1] ?? "",
    /type main\.Charge fail: hello lets no Cadence worker.*role:cadence/,
  );
  await control.call("DELETE", "/v1/tenants/t_default/namespaces/default/functions/hello");
  const read = await control.call<CadenceWorkerReply>("GET", `${WORKERS}/orders`);
  assert.match(read.body.warnings[1] ?? "", /fail: there is no function/);
  const paused = await control.call("PATCH", `${WORKERS}/orders`, { enabled: false });
  assert.equal(paused.status, 200, "what runs nothing any more can still be paused");
});

test("where the operator says whose domains are whose, others are refused", async () => {
  const cadenceDomains = ["t_default/shop", "t_another/*"];
  await using control = await startWithHello(AUTHZ, { cadenceDomains });
  assert.equal((await control.call("POST", WORKERS, orders)).status, 201);
  const other = await control.call("POST", WORKERS, { ...orders, name: "other", domain: "bank" });
  assert.deepEqual(outcome(other), [403, "CS_AUTHZ_DENIED"]);
  const moved = await control.call("PATCH", `${WORKERS}/orders`, { domain: "bank" });
  assert.deepEqual(outcome(moved), [403, "CS_AUTHZ_DENIED"]);
});

import assert from "node:assert/strict";
import test from "node:test";
import { type ErrorReply, LIMITS, type SecretPage, type SecretRecord } from "@sous/contract";
import { deploy } from "./testing/sample-function.ts";
import { startControl } from "./testing/start-control.ts";

const SECRETS = "/v1/tenants/t_default/namespaces/default/secrets";
const VALUE = "sk_live_51H8x-not-a-real-one";
const outcome = ({ status, body }: { status: number; body: unknown }) => [
  status,
  (body as ErrorReply).error.code,
];

test("a secret is set, listed without its value, set anew and deleted", async () => {
  await using control = await startControl();
  const set = await control.call<SecretRecord>("PUT", `${SECRETS}/stripe_key`, { value: VALUE });
  assert.equal(set.status, 200);
  const { key_id, ...shown } = set.body;
  assert.match(key_id, /^[0-9a-f]{10}$/);
  const nowMs = control.state.nowMs;
  assert.deepEqual(shown, { name: "stripe_key", version: 1, created_at_ms: nowMs, updated_at_ms: nowMs });
  control.state.nowMs += 5;
  const again = await control.call<SecretRecord>("PUT", `${SECRETS}/stripe_key`, { value: `${VALUE}2` });
  assert.deepEqual([again.body.version, again.body.updated_at_ms], [2, nowMs + 5]);
  const list = await control.call<SecretPage>("GET", SECRETS);
  assert.deepEqual(list.body, { items: [again.body], next_cursor: null });
  const gone = await control.call("DELETE", `${SECRETS}/stripe_key`);
  assert.deepEqual(gone.body, { status: "deleted" });
  assert.deepEqual(outcome(await control.call("DELETE", `${SECRETS}/stripe_key`)), [404, "CS_NOT_FOUND"]);
});

test("no answer, no line of the log and no row of the store holds a value", async () => {
  await using control = await startControl();
  const answers = [
    await control.call("PUT", `${SECRETS}/stripe_key`, { value: VALUE }),
    await control.call("PUT", `${SECRETS}/stripe_key`, { value: VALUE, more: VALUE }),
    await control.call("PUT", `${SECRETS}/stripe_key`, { value: [VALUE] }),
    await control.call("PUT", `${SECRETS}/stripe_key`, `{"value": "${VALUE}"`),
    await control.call("PUT", `${SECRETS}/stripe_key`, `{"value":"${VALUE}","value":"${VALUE}"}`),
    await control.call("GET", SECRETS),
  ];
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 400, 400, 400, 400, 200],
  );
  assert.doesNotMatch(JSON.stringify(answers.map(({ body }) => body)), /sk_live/);
  assert.doesNotMatch(control.lines.join("\n"), /sk_live/);
  assert.match(control.lines.join("\n"), /"type":"SecretSet"/);
  const scope = { tenant: "t_default", namespace: "default" };
  const kept = await control.store.secrets.get(scope, "stripe_key");
  assert.ok(kept !== undefined);
  assert.doesNotMatch(JSON.stringify(kept), /sk_live/);
});

test("a value of 64 KiB is taken, one byte more is 413", async () => {
  await using control = await startControl();
  const put = (value: unknown) => control.call("PUT", `${SECRETS}/large`, { value });
  assert.equal((await put("x".repeat(LIMITS.secretBytesMax))).status, 200);
  assert.equal((await put("\u0001".repeat(LIMITS.secretBytesMax))).status, 200);
  const over = [
    "x".repeat(LIMITS.secretBytesMax + 1),
    `${"é".repeat(LIMITS.secretBytesMax / 2)}x`,
    "x".repeat(600_000),
  ];
  for (const value of over) assert.deepEqual(outcome(await put(value)), [413, "CS_PAYLOAD_TOO_LARGE"]);
});

test("what is no value and what is no name is refused with 400", async () => {
  await using control = await startControl();
  for (const value of ["", 1, null, {}, "\ud800"]) {
    const answer = await control.call("PUT", `${SECRETS}/name`, { value });
    assert.deepEqual(outcome(answer), [400, "CS_VALIDATION_FAILED"], JSON.stringify(value));
  }
  for (const name of ["-x", ".x", "a%2Fb", "%20", "a".repeat(129), "%00"]) {
    const answer = await control.call("PUT", `${SECRETS}/${name}`, { value: "value" });
    assert.equal(answer.status, 400, name);
  }
});

test("a version may name secrets that have no value yet or no use, and the answer says which", async () => {
  await using control = await startControl();
  await control.call("PUT", `${SECRETS}/set`, { value: VALUE });
  const bound = { name: "bound", host: "api.example.com" };
  const config = { secrets: ["set", "kv:t_default/payments/missing", bound] };
  const published = await deploy(control, "hello", config);
  assert.deepEqual(published.body["warnings"], [
    "secret kv:t_default/payments/missing has no value yet; set it with `cs secret set missing`",
    "secret kv:t_default/default/bound has no value yet; set it with `cs secret set bound`",
    "secret kv:t_default/default/bound is bound to api.example.com, which the version may not call; add it to capabilities.http",
  ]);
});

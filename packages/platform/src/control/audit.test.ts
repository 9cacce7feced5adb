import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { type AuditEvent, type AuditEventPage, type ErrorReply, PlatformError } from "@sous/contract";
import { createSqliteStore, type Store } from "@sous/store";
import { createLocalAuthenticator } from "../auth/local-authenticator.ts";
import { issueToken } from "../auth/local-token.ts";
import { deploy, FUNCTIONS } from "./testing/sample-function.ts";
import { startControl } from "./testing/start-control.ts";

const EVENTS = "/v1/tenants/t_default/audit-events";
const SECRETS = "/v1/tenants/t_default/namespaces/default/secrets";

type Control = Awaited<ReturnType<typeof startControl>>;

/** Events of a control plane, oldest first. */
async function eventsOf(control: Control, query = ""): Promise<AuditEvent[]> {
  const { status, body } = await control.call<AuditEventPage>("GET", `${EVENTS}${query}`);
  assert.equal(status, 200, JSON.stringify(body));
  return body.items.toReversed();
}

const shown = ({ action, type, resource, outcome, status, code }: AuditEvent) => [
  action.slice("cs:".length),
  type,
  resource.slice("cs:t_default:".length),
  outcome,
  status,
  code,
];

test("each change is an event with who, what, which, when, the request and its outcome", async () => {
  await using control = await startControl();
  await deploy(control, "hello", {}, "prod");
  await control.call("PUT", `${FUNCTIONS}/hello/aliases/prod`, { version: 1 });
  await control.call("POST", FUNCTIONS, { name: "hello" });
  await control.call("POST", "/v1/tokens", { sub: "ci", roles: ["ci"] });
  const headers = { "x-request-id": "req_of_the_caller" };
  await control.call("DELETE", `${FUNCTIONS}/hello`, undefined, headers);
  await control.call("DELETE", `/v1/functions/hello`);
  const events = await eventsOf(control);
  const token = events.find(({ type }) => type === "TokenCreated");
  const draft = events.find(({ type }) => type === "DraftUploaded");
  assert.deepEqual(events.map(shown), [
    ["function:create", "FunctionCreated", "default:function/hello", "success", 201, null],
    [
      "function:draft:upload",
      "DraftUploaded",
      `default:function/hello:draft/${String(draft?.data["draft_id"])}`,
      "success",
      200,
      null,
    ],
    ["function:publish", "FunctionPublished", "default:function/hello:version/1", "success", 201, null],
    ["function:alias:set", "AliasUpdated", "default:function/hello:alias/prod", "success", 200, null],
    ["function:create", null, "default:function/hello", "refused", 409, "CS_CONFLICT"],
    ["token:create", "TokenCreated", `token/${String(token?.data["token_id"])}`, "success", 201, null],
    ["function:delete", "FunctionDeleted", "default:function/hello", "success", 200, null],
    ["function:delete", null, "default:function/hello", "refused", 404, "CS_NOT_FOUND"],
  ]);
  const deleted = events.at(-2);
  assert.equal(deleted?.request_id, "req_of_the_caller");
  assert.deepEqual(deleted.actor, { sub: "anonymous", roles: ["admin"] });
  assert.deepEqual(
    [deleted.schema, deleted.tenant, deleted.ts_ms, deleted.ended_at_ms],
    ["cs.audit.v1", "t_default", control.state.nowMs, control.state.nowMs],
  );
  assert.deepEqual(deleted.data, { namespace: "default", function: "hello" });
});

test("reads, and what was no request for a change, leave no event", async () => {
  await using control = await startControl();
  await control.call("GET", FUNCTIONS);
  await control.call("GET", EVENTS);
  await control.call("POST", FUNCTIONS, { nonsense: true });
  await control.call("POST", FUNCTIONS, "no json");
  assert.deepEqual(await eventsOf(control), []);
});

test("no value of a secret and no token is in an event", async () => {
  await using control = await startControl();
  await control.call("PUT", `${SECRETS}/stripe_key`, { value: "hunter2hunter2" });
  const created = await control.call<{ token: string }>("POST", "/v1/tokens", { sub: "ci", roles: [] });
  const text = JSON.stringify(await eventsOf(control));
  assert.match(text, /secret\/stripe_key/);
  assert.doesNotMatch(text, /hunter2/);
  assert.equal(text.includes(created.body.token), false);
});

test("events are filtered and paged, newest first", async () => {
  await using control = await startControl();
  for (const name of ["one", "two", "three"]) {
    control.state.nowMs += 1000;
    await control.call("POST", FUNCTIONS, { name });
  }
  const since = control.state.nowMs - 1000;
  assert.equal((await eventsOf(control, `?since=${since}`)).length, 2);
  assert.equal((await eventsOf(control, `?until=${since}`)).length, 2);
  assert.equal((await eventsOf(control, "?type=FunctionCreated&sub=anonymous&outcome=success")).length, 3);
  assert.equal((await eventsOf(control, "?action=cs:function:delete")).length, 0);
  const resource = encodeURIComponent("cs:t_default:default:function/t");
  const [two, three] = await eventsOf(control, `?resource=${resource}`);
  assert.deepEqual([two?.data["function"], three?.data["function"]], ["two", "three"]);
  const first = await control.call<AuditEventPage>("GET", `${EVENTS}?limit=2`);
  assert.deepEqual(
    first.body.items.map(({ data }) => data["function"]),
    ["three", "two"],
  );
  const [last] = await eventsOf(control, `?limit=2&cursor=${first.body.next_cursor}`);
  assert.equal(last?.data["function"], "one");
  for (const query of ["?outcome=maybe", "?since=yesterday", "?cursor=nonsense"]) {
    assert.equal((await control.call("GET", EVENTS + query)).status, 400);
  }
});

test("a tenant's events are shown to those who may read its audit, and written to no other tenant", async () => {
  await using control = await startControl({
    auth: (store, clock) => createLocalAuthenticator({ store, clock }),
  });
  const issue = async (tenant: string, roles: string[]) => {
    const { token } = await issueToken({
      tokens: control.store.tokens,
      tenant,
      principal: { sub: `of ${tenant}`, roles },
      expiresAtMs: null,
      clock: () => control.state.nowMs,
      randomBytes,
    });
    return { authorization: `Bearer ${token}` };
  };
  const admin = await issue("t_default", ["admin"]);
  const reader = await issue("t_default", ["cs:audit:read"]);
  const other = await issue("t_other1", ["admin"]);
  const read = (headers: Record<string, string>) =>
    control.call<AuditEventPage>("GET", EVENTS, undefined, headers);
  await control.call("POST", FUNCTIONS, { name: "hello" }, admin);
  await control.call("POST", FUNCTIONS, { name: "theirs" }, other);
  await control.call("POST", "/v1/tokens", { sub: "x", roles: [], tenant: "t_default" }, other);
  const { items } = (await read(reader)).body;
  assert.deepEqual(
    items.map(({ actor, resource }) => [actor.sub, resource]),
    [["of t_default", "cs:t_default:default:function/hello"]],
  );
  assert.equal((await read(await issue("t_default", ["cs:function:read"]))).status, 403);
  assert.equal((await read(other)).status, 403);
  const theirs = await control.store.audit.list({ tenant: "t_other1" }, { limit: 10 });
  assert.deepEqual(
    theirs.items.map(shown).map(([, type, , outcome, status]) => [type, outcome, status]),
    [[null, "refused", 403]],
  );
});

/** A store whose audit trail fails where it is told to. */
async function withBrokenAudit(broken: "begin" | "end") {
  const store = await createSqliteStore({ path: ":memory:" });
  const away = () => Promise.reject(new PlatformError("CS_STORE_UNAVAILABLE", "the disk is full"));
  const audit: Store["audit"] = { ...store.audit, [broken]: away };
  const control = await startControl({ store: { ...store, audit } });
  return Object.assign(control, { kept: store });
}

test("a change that would leave no event is refused and not made", async () => {
  await using control = await withBrokenAudit("begin");
  const refused = await control.call<ErrorReply>("POST", FUNCTIONS, { name: "hello" });
  assert.deepEqual([refused.status, refused.body.error.code], [503, "CS_STORE_UNAVAILABLE"]);
  assert.equal((await control.call("GET", `${FUNCTIONS}/hello`)).status, 404);
});

test("a change whose end cannot be written was made, stays unknown, and is in the log", async () => {
  await using control = await withBrokenAudit("end");
  assert.equal((await control.call("POST", FUNCTIONS, { name: "hello" })).status, 201);
  assert.equal((await control.call("GET", `${FUNCTIONS}/hello`)).status, 200);
  const [event] = await eventsOf(control, "?outcome=unknown");
  assert.deepEqual(
    [event?.type, event?.status, event?.resource],
    [null, null, "cs:t_default:default:function/hello"],
  );
  assert.ok(
    control.lines.some((line) => line.includes(event?.event_id ?? "?") && line.includes("stays unknown")),
  );
});

test("details that are too large are left out, with a mark", async () => {
  await using control = await startControl({ limits: { auditDataBytesMax: 20 } });
  await control.call("POST", FUNCTIONS, { name: "hello" });
  const [event] = await eventsOf(control);
  assert.deepEqual(event?.data, { truncated: true });
  assert.equal(event.resource, "cs:t_default:default:function/hello");
});

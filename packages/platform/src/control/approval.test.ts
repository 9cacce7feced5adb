import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import type { ErrorReply, PowersDiff, PublishReply, VersionConfigInput } from "@sous/contract";
import { createLocalAuthenticator } from "../auth/local-authenticator.ts";
import { issueToken } from "../auth/local-token.ts";
import { FUNCTIONS } from "./testing/sample-function.ts";
import { startControl } from "./testing/start-control.ts";

const HELLO = `${FUNCTIONS}/hello`;
const MANIFEST = {
  schema: "cs.function.script.v1",
  runtime: "cs-js",
  entry: "function.js",
  handler: "default",
  limits: { timeoutMs: 3000, memoryMb: 64, maxConcurrency: 10 },
  capabilities: {
    kv: { prefixes: ["orders:"], ops: ["get", "set"] },
    codeq: { publishTopics: ["jobs.*"] },
  },
};
const READ_ONLY: VersionConfigInput = {
  capabilities: { kv: { prefixes: ["orders:"], ops: ["get"] }, codeq: { publish_topics: [] } },
};
const NONE: VersionConfigInput = {
  capabilities: { kv: { prefixes: [], ops: [] }, codeq: { publish_topics: [] } },
};

/** A control plane with tokens and a function; `publish` sends one more version of it. */
async function start(approve: "never" | "new-powers") {
  const control = await startControl({
    auth: (store, clock) => createLocalAuthenticator({ store, clock }),
    approve,
  });
  const tokenOf = async (...roles: string[]): Promise<Record<string, string>> => {
    const { token } = await issueToken({
      tokens: control.store.tokens,
      tenant: "t_default",
      principal: { sub: "alice", roles },
      expiresAtMs: null,
      clock: () => control.state.nowMs,
      randomBytes,
    });
    return { authorization: `Bearer ${token}` };
  };
  const admin = await tokenOf("admin");
  const publisher = await tokenOf("cs:function:publish", "cs:function:alias:set", "cs:function:draft:upload");
  await control.call("POST", FUNCTIONS, { name: "hello" }, admin);
  const files = Object.fromEntries(
    Object.entries({
      "function.js": "export default () => 1",
      "manifest.json": JSON.stringify(MANIFEST),
    }).map(([path, text]) => [path, Buffer.from(text).toString("base64")]),
  );
  const publish = async (config: VersionConfigInput, more: object = {}, who = publisher) => {
    const draft = await control.call<{ draft_id: string }>("PUT", `${HELLO}/draft`, { files }, admin);
    const body = { draft_id: draft.body.draft_id, config, ...more };
    return control.call<PublishReply & ErrorReply>("POST", `${HELLO}/versions`, body, who);
  };
  const setAlias = (body: object, who = publisher) =>
    control.call<ErrorReply>("PUT", `${HELLO}/aliases/prod`, body, who);
  return Object.assign(control, { admin, publisher, publish, setAlias });
}
const whatOf = (powers: PowersDiff) => [
  powers.against,
  powers.added.map(({ what }) => what),
  powers.removed.map(({ what }) => what),
];

test("a publish tells what is new against the version its alias points to", async () => {
  await using control = await start("never");
  const first = await control.publish(READ_ONLY, { alias: "prod" });
  assert.deepEqual(whatOf(first.body.powers), [null, ["get orders:*"], []]);
  const second = await control.publish({});
  assert.deepEqual(whatOf(second.body.powers), [1, ["set orders:*", "jobs.*"], []]);
  const third = await control.publish(NONE, { alias: "prod" });
  assert.deepEqual(whatOf(third.body.powers), [1, [], ["get orders:*"]]);
  const read = (path: string) =>
    control.call<PowersDiff & ErrorReply>("GET", HELLO + path, undefined, control.admin);
  assert.deepEqual(whatOf((await read("/versions/2/powers")).body), [1, ["set orders:*", "jobs.*"], []]);
  assert.deepEqual(whatOf((await read("/versions/1/powers")).body), [null, ["get orders:*"], []]);
  assert.deepEqual(whatOf((await read("/versions/1/powers?against=prod")).body), [3, ["get orders:*"], []]);
  assert.deepEqual(whatOf((await read("/versions/1/powers?against=latest")).body)[0], 3);
  assert.equal((await read("/versions/1/powers?against=2")).status, 200);
  assert.equal((await read("/versions/1/powers?against=9")).status, 404);
  assert.equal((await read("/versions/1/powers?against=none")).status, 404);
  assert.equal((await read("/versions/1/powers?against=A!")).status, 400);
  assert.equal((await read("/versions/9/powers")).status, 404);
});

test("without the setting nobody has to approve anything", async () => {
  await using control = await start("never");
  assert.equal((await control.publish({}, { alias: "prod" })).status, 201);
  assert.equal((await control.publish({}, { alias: "prod", approve: true })).status, 201);
});

test("an alias goes to new powers only when somebody who may has approved them", async () => {
  await using control = await start("new-powers");
  assert.equal((await control.publish(NONE, { alias: "prod" })).status, 201, "no powers need no approval");
  const refused = await control.publish(READ_ONLY, { alias: "prod" });
  assert.deepEqual([refused.status, refused.body.error.code], [409, "CS_APPROVAL_REQUIRED"]);
  const { powers } = refused.body.error.details as { powers: PowersDiff };
  assert.deepEqual(whatOf(powers), [1, ["get orders:*"], []]);
  const selfMade = await control.publish(READ_ONLY, { alias: "prod", approve: true });
  assert.deepEqual([selfMade.status, selfMade.body.error.code], [403, "CS_AUTHZ_DENIED"]);
  assert.match(selfMade.body.error.message, /cs:function:approve/);
  assert.equal((await control.publish({})).status, 201, "without an alias there is nothing to approve");
  assert.equal((await control.setAlias({ version: 2 })).body.error.code, "CS_APPROVAL_REQUIRED");
  assert.equal((await control.setAlias({ version: 2, approve: true })).body.error.code, "CS_AUTHZ_DENIED");
  assert.equal((await control.setAlias({ version: 2, approve: true }, control.admin)).status, 200);
  assert.match(control.lines.join("\n"), /"type":"PowersApproved".*jobs/);
  assert.equal((await control.publish(READ_ONLY, { alias: "prod" })).status, 201, "fewer powers need none");
});

test("a share of an alias is an alias too, and so is the way back to an old version", async () => {
  await using control = await start("new-powers");
  await control.publish(NONE, { alias: "prod" });
  await control.publish({});
  const share = { version: 1, weights: { 2: 0.1 } };
  assert.equal((await control.setAlias(share)).body.error.code, "CS_APPROVAL_REQUIRED");
  assert.equal((await control.setAlias({ ...share, approve: true }, control.admin)).status, 200);
  assert.equal((await control.setAlias({ version: 2 })).status, 200, "what has a share is approved already");
  assert.equal((await control.setAlias({ version: 1 })).status, 200);
  assert.equal((await control.setAlias({ version: 2 })).body.error.code, "CS_APPROVAL_REQUIRED");
});

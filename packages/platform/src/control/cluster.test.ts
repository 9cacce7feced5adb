import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { ClusterMembersReply, createParser } from "@sous/contract";
import { createLocalAuthenticator } from "../auth/local-authenticator.ts";
import { issueToken } from "../auth/local-token.ts";
import { member } from "../members/members.fixture.ts";
import { startControl } from "./testing/start-control.ts";

const PATH = "/v1/cluster/members";
const reply = createParser(ClusterMembersReply, "the answer");
const members = [
  member("m-a", { warm: new Set([1, 2]), cached: new Set([3]), running: 4, waiting: 5 }),
  member("m-b", { state: "late" }),
  member("m-c", { state: "draining", draining: true, roles: ["gateway"], capacity: 0 }),
];

describe("GET /v1/cluster/members", () => {
  test("tells who is there, in pages by id, and when that was last read", async () => {
    await using control = await startControl({ membership: () => ({ revision: 1, members, readMs: 77 }) });
    const { status, body } = await control.call("GET", PATH);
    assert.equal(status, 200);
    const all = reply.parse(body);
    assert.equal(all.read_at_ms, 77);
    assert.equal(all.now_ms, control.state.nowMs);
    assert.deepEqual(
      all.items.map(({ id, state, roles }) => [id, state, roles]),
      [
        ["m-a", "live", ["invoker"]],
        ["m-b", "late", ["invoker"]],
        ["m-c", "draining", ["gateway"]],
      ],
    );
    assert.deepEqual(all.items[0], {
      id: "m-a",
      roles: ["invoker"],
      address: "",
      version: "0.1.0",
      state: "live",
      started_at_ms: 0,
      seen_at_ms: 0,
      capacity: 100,
      cpus: 2,
      running: 4,
      waiting: 5,
      warm_versions: 2,
      cached_bundles: 1,
    });
    const first = reply.parse((await control.call("GET", `${PATH}?limit=2`)).body);
    assert.equal(first.items.length, 2);
    const second = reply.parse(
      (await control.call("GET", `${PATH}?limit=2&cursor=${first.next_cursor}`)).body,
    );
    assert.deepEqual(
      second.items.map(({ id }) => id),
      ["m-c"],
    );
    assert.equal(second.next_cursor, null);
    assert.equal((await control.call("GET", `${PATH}?limit=0`)).status, 400);
  });

  test("is the operator's: no other role, and no administrator of another tenant", async () => {
    await using control = await startControl({
      membership: () => ({ revision: 1, members, readMs: 77 }),
      auth: (store, clock) => createLocalAuthenticator({ store, clock, ttlMs: 0 }),
    });
    const as = async (tenant: string, role: string) => {
      const { token } = await issueToken({
        tokens: control.store.tokens,
        tenant,
        principal: { sub: "somebody", roles: [role] },
        expiresAtMs: null,
        clock: () => control.state.nowMs,
        randomBytes,
      });
      const { status } = await control.call("GET", PATH, undefined, { authorization: `Bearer ${token}` });
      return status;
    };
    assert.equal(await as("t_default", "admin"), 200);
    assert.equal(await as("t_default", "cs:cluster:read"), 200);
    assert.equal(await as("t_default", "cs:function:read"), 403);
    assert.equal(await as("t_other1", "admin"), 403);
    assert.equal((await control.call("GET", PATH)).status, 401);
  });
});

import assert from "node:assert/strict";
import test from "node:test";
import type { Message } from "@sous/codeq";
import type { Invocation, VersionRecord } from "@sous/contract";
import { createClaimWindow } from "./claim-window.ts";

const catalog = { resolve: () => ({ config: { max_concurrency: 10 } }) as VersionRecord };
let made = 0;

function message(tenant: string, lane: string, mode: "sync" | "async" = "async"): Message<Invocation> {
  const id = `activation-${++made}`;
  const ref = { function: lane, version: 1 };
  const body = { activation_id: id, tenant, namespace: "default", ref, mode } as Invocation;
  return {
    id,
    topic: "invoke",
    tenant,
    lane,
    body,
    attempt: 1,
    enqueued_at_ms: 0,
    due_at_ms: 0,
    expires_at_ms: 9e15,
  };
}

/** A window before sandboxes that are crowded when a test says so. */
function setUp() {
  const state = { room: true, woken: [] as string[] };
  const window = createClaimWindow({
    catalog,
    hasRoom: (tenant) => tenant !== "t_busy" || state.room,
    wake: ({ lane }) => void state.woken.push(lane),
  });
  return { state, window };
}

test("queued work is left in the queue while the sandboxes of its tenant have enough to begin", async () => {
  const { state, window } = setUp();
  state.room = false;
  const first = Array.from({ length: 4 }, (_, n) => message("t_busy", `first-${n}`));
  const places = first.map((one) => {
    assert.ok(window.accepts(one), "a tenant always has some");
    return window.take(one);
  });
  for (let n = 0; n < 100; n++) assert.ok(!window.accepts(message("t_busy", `late-${n}`)));
  assert.ok(window.accepts(message("t_busy", "caller", "sync")), "a caller's deadline runs anyway");
  assert.ok(window.accepts(message("t_other", "late-0")), "other tenants are no business of it");

  window.giveBack(places[0] as (typeof places)[number], first[0] as Message<Invocation>);
  assert.deepEqual(state.woken, [], "there is no room yet");
  state.room = true;
  window.giveBack(places[1] as (typeof places)[number], first[1] as Message<Invocation>);
  assert.deepEqual(
    state.woken,
    Array.from({ length: 32 }, (_, n) => `late-${n}`),
    "in their order, as many as begin soon",
  );
  // Nothing of the tenant ends, and still the others get their turn: what has begun takes no room.
  const until = Date.now() + 10_000;
  while (state.woken.length < 100 && Date.now() < until) await new Promise((done) => setTimeout(done, 5));
  assert.equal(new Set(state.woken).size, 100);
});

test("a version has as many claimed as it runs at once, and its lane is woken when one ends", () => {
  const { state, window } = setUp();
  const taken = Array.from({ length: 10 }, () => message("t_one", "hello"));
  const places = taken.map((one) => {
    assert.ok(window.accepts(one));
    return window.take(one);
  });
  assert.ok(!window.accepts(message("t_one", "hello")));
  window.giveBack(places[0] as (typeof places)[number], taken[0] as Message<Invocation>);
  assert.deepEqual(state.woken, ["hello"]);
  assert.ok(window.accepts(message("t_one", "hello")));
});

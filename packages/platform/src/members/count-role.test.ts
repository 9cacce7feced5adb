import assert from "node:assert/strict";
import test from "node:test";
import { createRoleCount } from "./count-role.ts";
import { member } from "./members.fixture.ts";
import { type Membership, NO_MEMBERS } from "./membership.ts";

const gateway = (id: string, state: "live" | "late" | "lost" | "draining" = "live") =>
  member(id, { roles: ["gateway"], state });

test("those of the role count that serve or may serve, and this process once, known or not", () => {
  let membership: Membership = NO_MEMBERS;
  const count = createRoleCount(() => membership, "self", "gateway");
  const see = (...members: Membership["members"]): number => {
    membership = { revision: membership.revision + 1, members, readMs: 1 };
    return count();
  };
  assert.equal(count(), 1, "alone before the membership was read");
  assert.equal(see(gateway("other")), 2, "not announced yet");
  assert.equal(see(gateway("other"), gateway("self")), 2);
  assert.equal(see(gateway("other", "late"), gateway("self"), member("invoker")), 2);
  assert.equal(see(gateway("other", "lost"), gateway("third", "draining"), gateway("self")), 1);
  assert.equal(see(member("all", { roles: ["control", "gateway", "invoker"] }), gateway("self")), 2);
});

test("the same membership is counted once", () => {
  let walks = 0;
  const members = new Proxy([gateway("other")], {
    get(target, name, receiver) {
      if (name === "filter") walks++;
      return Reflect.get(target, name, receiver) as unknown;
    },
  });
  const membership = { revision: 7, members, readMs: 1 };
  const count = createRoleCount(() => membership, "self", "gateway");
  assert.deepEqual([count(), count(), count()], [2, 2, 2]);
  assert.equal(walks, 1);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { createSqliteStore, type ResourceStore } from "@sous/store";
import { type ClusterMember, openClusterMember } from "./cluster-member.ts";

const HEARTBEAT_MS = 20;
const READINGS = 25;

test("members of a store that is read but takes no writes do not take one another for lost", async () => {
  await using store = await createSqliteStore({ path: ":memory:" });
  const real = store.resources;
  let isReadOnly = false;
  const resources: ResourceStore = {
    create: real.create.bind(real),
    get: real.get.bind(real),
    list: real.list.bind(real),
    all: real.all.bind(real),
    async replace(...args) {
      if (isReadOnly) throw new TypeError("the store takes no writes");
      return await real.replace(...args);
    },
    delete: real.delete.bind(real),
  };
  const open = async (id: string): Promise<ClusterMember> => {
    const member = await openClusterMember({
      id,
      resources,
      topic: "invoke",
      depth: async () => [],
      heartbeatMs: HEARTBEAT_MS,
      now: Date.now,
      random: () => 0.5,
      onFault: () => {},
    });
    const self = { roles: ["gateway"], address: "", version: "1", started_at_ms: 1, capacity: 0, cpus: 1 };
    await member.join(self, undefined);
    return member;
  };
  await using first = await open("m-a");
  await using _second = await open("m-b");
  isReadOnly = true;
  for (let reading = 0; reading < READINGS; reading++) {
    const { readMs } = first.membership();
    while (first.membership().readMs === readMs) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const states = first.membership().members.map(({ id, state }) => `${id}:${state}`);
  assert.equal(states.length, 2);
  assert.ok(!states.some((state) => state.endsWith(":lost")), states.join(" "));
  isReadOnly = false;
});

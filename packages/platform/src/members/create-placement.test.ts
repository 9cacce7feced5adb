import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { VersionRecord } from "@sous/contract";
import { createPlacement, type PlacedCall, type PlacementDecision } from "./create-placement.ts";
import { hashText } from "./hash-text.ts";
import { bundleDigest } from "./member-record.ts";
import { member } from "./members.fixture.ts";
import type { Member, Membership } from "./membership.ts";

const TOPIC = "cs.invoke";

function versionOf(number: number, maxConcurrency = 100): VersionRecord {
  const sha256 = number.toString(16).padStart(8, "0").repeat(8);
  return { version: number, sha256, config: { max_concurrency: maxConcurrency } } as VersionRecord;
}

const keyOf = (number: number): number => hashText(`t_default/default/work@${number}`);

function world(members: Member[]) {
  const decisions: PlacementDecision[] = [];
  let membership: Membership = { revision: 1, members, readMs: 0 };
  let nowMs = 0;
  const placement = createPlacement({
    membership: () => membership,
    topic: TOPIC,
    now: () => nowMs,
    onDecision: (decision) => decisions.push(decision),
  });
  return {
    decisions,
    pass: (ms: number) => (nowMs += ms),
    change(next: Member[]) {
      membership = { revision: membership.revision + 1, members: next, readMs: nowMs };
    },
    place: (version: VersionRecord) =>
      placement.choose({ tenant: "t_default", namespace: "default", name: "work", version }),
  };
}

const at = (call: PlacedCall | undefined): string => call?.topic.slice(TOPIC.length + 1) ?? "anybody";

describe("placing synchronous calls", () => {
  test("a version goes where it is warm, else where its bundle is", () => {
    const version = versionOf(1);
    const cached = new Set([bundleDigest(version.sha256)]);
    const { place, decisions } = world([
      member("m-a"),
      member("m-b", { cached }),
      member("m-c", { cached, warm: new Set([keyOf(1)]) }),
    ]);
    const first = place(version);
    assert.equal(at(first), "m-c");
    first?.answered();
    assert.deepEqual(decisions, ["warm"]);
  });

  test("a version that is nowhere yet goes to the same member every time, and different ones to all", () => {
    const { place, decisions } = world([member("m-a"), member("m-b"), member("m-c"), member("m-d")]);
    const homes = new Set<string>();
    for (let number = 1; number <= 40; number++) {
      const version = versionOf(number);
      const [first, ...others] = [1, 2, 3].map(() => {
        const call = place(version);
        call?.answered();
        return at(call);
      });
      for (const other of others) assert.equal(other, first);
      homes.add(first as string);
    }
    assert.equal(homes.size, 2, "of one tenant all are at two members");
    assert.deepEqual(new Set(decisions), new Set(["spread"]));
  });

  test("with nobody to choose from there is nothing to decide", () => {
    const alone = world([member("m-a"), member("m-gateway", { capacity: 0 })]);
    assert.equal(alone.place(versionOf(1)), undefined);
    assert.deepEqual(alone.decisions, ["alone"]);
    assert.equal(world([]).place(versionOf(1)), undefined);
  });

  test("members that are late, lost or draining get nothing, warm or not", () => {
    const warm = { warm: new Set([keyOf(1)]) };
    const { place } = world([
      member("m-a"),
      member("m-b"),
      member("m-late", { ...warm, state: "late" }),
      member("m-lost", { ...warm, state: "lost" }),
      member("m-leaves", { ...warm, state: "draining", draining: true }),
    ]);
    for (let call = 0; call < 20; call++) assert.match(at(place(versionOf(1))), /^(m-a|m-b|anybody)$/);
  });

  test("a member gets no more than its part of the load and a little more, however warm", () => {
    const warm = { warm: new Set([keyOf(1)]), cpus: 4 };
    const { place, decisions } = world([member("m-a", warm), member("m-b", { cpus: 4 })]);
    const counts = new Map<string, number>();
    for (let call = 0; call < 60; call++) {
      const to = at(place(versionOf(1)));
      counts.set(to, (counts.get(to) ?? 0) + 1);
      if (call === 3)
        assert.deepEqual([...counts], [["m-a", 4]], "up to its processors all go to the warm one");
    }
    const [warmCount = 0, otherCount = 0] = [counts.get("m-a"), counts.get("m-b")];
    assert.ok(warmCount <= Math.ceil(1.25 * 61 * 0.5) && otherCount >= 20, JSON.stringify([...counts]));
    assert.deepEqual(new Set(decisions), new Set(["warm", "spread"]));
  });

  test("a member with more processors bears more", () => {
    const { place } = world([member("m-large", { cpus: 12 }), member("m-small", { cpus: 4 })]);
    const counts: Record<string, number> = {};
    for (let call = 0; call < 80; call++) {
      const to = at(place(versionOf((call % 40) + 1)));
      counts[to] = (counts[to] ?? 0) + 1;
    }
    assert.ok((counts["m-large"] ?? 0) > 2 * (counts["m-small"] ?? 0), JSON.stringify(counts));
  });

  test("what others send there counts as well, by the member's own report", () => {
    const warm = { warm: new Set([keyOf(1)]) };
    const { place, change } = world([member("m-a", warm), member("m-b")]);
    const first = place(versionOf(1));
    assert.equal(at(first), "m-a");
    change([member("m-a", { ...warm, generation: 2, running: 30, waiting: 10 }), member("m-b")]);
    assert.equal(at(place(versionOf(1))), "m-b");
    first?.answered();
    change([member("m-a", { ...warm, generation: 3 }), member("m-b")]);
    assert.equal(at(place(versionOf(1))), "m-a");
  });

  test("no more calls of a version than it has isolates there; the rest goes to whoever has room", () => {
    const { place, decisions } = world([member("m-a", { cpus: 8 }), member("m-b", { cpus: 8 })]);
    const version = versionOf(1, 2);
    const calls = Array.from({ length: 6 }, () => place(version));
    const to = calls.map(at);
    assert.equal(to.filter((id) => id === "m-a").length, 2);
    assert.equal(to.filter((id) => id === "m-b").length, 2);
    assert.deepEqual(to.slice(4), ["anybody", "anybody"]);
    assert.deepEqual(decisions.slice(4), ["overflow", "overflow"]);
    const first = to[0];
    calls[0]?.answered();
    assert.equal(at(place(version)), first);
  });

  test("calls are counted on over changes of the membership", () => {
    const { place, change } = world([member("m-a"), member("m-b")]);
    const version = versionOf(1, 1);
    const first = place(version);
    change([member("m-a", { generation: 2 }), member("m-b", { generation: 2 })]);
    const second = place(version);
    assert.notEqual(at(first), at(second));
    assert.equal(at(place(version)), "anybody");
    first?.answered();
    assert.equal(at(place(version)), at(first));
  });

  test("a member that let a call wait is left alone, then tried with one call, then trusted again", () => {
    const warm = { warm: new Set([keyOf(1)]) };
    const { place, pass } = world([member("m-a", warm), member("m-b")]);
    const version = versionOf(1);
    const together = [place(version), place(version)];
    assert.deepEqual(together.map(at), ["m-a", "m-a"]);
    for (const call of together) call?.waited();
    assert.equal(at(place(version)), "m-b");
    pass(999);
    assert.equal(at(place(version)), "m-b");
    pass(1);
    const probe = place(version);
    assert.equal(at(probe), "m-a");
    assert.notEqual(at(place(version)), "m-a", "one at a time");
    probe?.waited();
    pass(1500);
    assert.notEqual(at(place(version)), "m-a", "longer, the second time");
    pass(500);
    const again = place(version);
    assert.equal(at(again), "m-a");
    again?.answered();
    assert.deepEqual([place(version), place(version)].map(at), ["m-a", "m-a"]);
  });

  test("a caller who gave up gives its place back and proves nothing", () => {
    const { place } = world([member("m-a"), member("m-b")]);
    const version = versionOf(1, 1);
    const first = place(version);
    first?.gone();
    assert.equal(at(place(version)), at(first));
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { StoredResource } from "@sous/store";
import { memberKey } from "./announce-member.ts";
import type { MemberRecord } from "./member-record.ts";
import { MemberTable } from "./member-table.ts";

const NOW = 1_000_000;

function resource(id: string, generation: number, fields: Partial<MemberRecord> = {}): StoredResource {
  const record: MemberRecord = {
    schema: "cs.member.v1",
    id,
    roles: ["invoker"],
    address: "",
    version: "0.1.0",
    started_at_ms: NOW,
    beat_at_ms: NOW,
    draining: false,
    capacity: 10,
    cpus: 1,
    running: 0,
    waiting: 0,
    warm: "",
    cached: "",
    ...fields,
  };
  return { key: memberKey(id), generation, record_json: JSON.stringify(record) };
}

const newTable = (): MemberTable => new MemberTable({ lateMs: 300, lostMs: 600, gapMs: 200 });
const states = ({ membership }: MemberTable): string =>
  membership.members.map(({ id, state }) => `${id}:${state}`).join(" ");

describe("the membership of what was read", () => {
  test("a member that beats is live; one that stops is late, then lost, then gone with its record", () => {
    const table = newTable();
    const seen: string[] = [];
    for (let beat = 0; beat < 8; beat++) {
      table.absorb([resource("m-beats", beat + 1), resource("m-stops", 1)], NOW + beat * 100);
      seen.push(states(table));
    }
    assert.equal(seen[0], "m-beats:live m-stops:live");
    assert.equal(seen[2], "m-beats:live m-stops:live");
    assert.equal(seen[3], "m-beats:live m-stops:late");
    assert.equal(seen[6], "m-beats:live m-stops:lost");
    table.absorb([resource("m-beats", 9)], NOW + 800);
    assert.equal(states(table), "m-beats:live");
  });

  test("clocks that disagree make nobody old: only a change of the record counts", () => {
    const table = newTable();
    for (let beat = 0; beat < 10; beat++) {
      const fields = { beat_at_ms: beat === 0 ? NOW : NOW - 500_000 + beat };
      table.absorb([resource("m-behind", beat + 1, fields)], NOW + beat * 100);
      assert.equal(states(table), "m-behind:live");
    }
  });

  test("one that is read for the first time is as old as it says itself", () => {
    const table = newTable();
    const records = [
      resource("m-new", 1),
      resource("m-ahead", 1, { beat_at_ms: NOW + 5000 }),
      resource("m-late", 7, { beat_at_ms: NOW - 400 }),
      resource("m-dead", 7, { beat_at_ms: 0 }),
    ];
    table.absorb(records, NOW);
    assert.equal(states(table), "m-ahead:live m-dead:lost m-late:late m-new:live");
  });

  test("an outage of the store makes nobody old, however long: nobody could write", () => {
    const table = newTable();
    const records = [resource("m-a", 4), resource("m-b", 4)];
    table.absorb(records, NOW);
    table.absorb(records, NOW + 3_600_000);
    assert.equal(states(table), "m-a:live m-b:live", "an hour without a reading");
    table.absorb([resource("m-a", 5), records[1] as StoredResource], NOW + 3_600_100);
    table.absorb([resource("m-a", 6), records[1] as StoredResource], NOW + 3_600_200);
    assert.equal(states(table), "m-a:live m-b:late", "from then on it counts again");
  });

  test("a clock that is set back makes nobody old or young", () => {
    const table = newTable();
    table.absorb([resource("m-a", 1)], NOW);
    table.absorb([resource("m-a", 1)], NOW + 100);
    table.absorb([resource("m-a", 1)], NOW - 50_000);
    table.absorb([resource("m-a", 1)], NOW - 49_800);
    assert.equal(states(table), "m-a:late");
  });

  test("draining is a state of its own until the member is lost", () => {
    const table = newTable();
    table.absorb([resource("m-a", 1, { draining: true })], NOW);
    assert.equal(states(table), "m-a:draining");
    for (let at = 1; at <= 4; at++) table.absorb([resource("m-a", 1, { draining: true })], NOW + at * 200);
    assert.equal(states(table), "m-a:lost");
  });

  test("tells whether anything changed, and keeps the same view when nothing did", () => {
    const table = newTable();
    assert.equal(table.absorb([resource("m-a", 1)], NOW), true);
    const { membership } = table;
    assert.equal(table.absorb([resource("m-a", 1)], NOW + 10), false);
    assert.equal(table.membership.revision, membership.revision);
    assert.equal(table.membership.members, membership.members);
    assert.equal(table.membership.readMs, NOW + 10);
    assert.equal(table.absorb([resource("m-a", 2, { running: 3 })], NOW + 20), true);
    assert.equal(table.membership.members[0]?.running, 3);
  });

  test("records of nobody are passed over and counted", () => {
    const table = newTable();
    const forged = { ...resource("m-other", 1), key: memberKey("m-forged") };
    table.absorb([{ ...resource("m-bad", 1), record_json: "{" }, forged, resource("m-a", 1)], NOW);
    assert.equal(states(table), "m-a:live");
    assert.equal(table.unreadable, 2);
  });

  test("no more members than there may be are looked at", () => {
    const table = newTable();
    const many = Array.from({ length: 3000 }, (_, at) => resource(`m-${at}`, 1));
    table.absorb(many, NOW);
    assert.equal(table.membership.members.length, 1024);
  });
});

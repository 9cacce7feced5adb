import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DIGESTS_MAX, type MemberRecord, packDigests, readMember, unpackDigests } from "./member-record.ts";

const RECORD: MemberRecord = {
  schema: "cs.member.v1",
  id: "m-0123456789ab",
  roles: ["gateway", "invoker"],
  address: "http://127.0.0.1:8080",
  version: "0.1.0",
  started_at_ms: 1,
  beat_at_ms: 2,
  draining: false,
  capacity: 2048,
  cpus: 2,
  running: 3,
  waiting: 4,
  warm: packDigests([1, 0xffffffff]),
  cached: "",
};

describe("records of members", () => {
  test("are read as they were written, with fields of a newer release passed over", () => {
    assert.deepEqual(readMember(JSON.stringify(RECORD)), RECORD);
    assert.equal(readMember(JSON.stringify({ ...RECORD, zone: "a" }))?.id, RECORD.id);
    assert.deepEqual([...unpackDigests(RECORD.warm)], [1, 0xffffffff]);
  });

  test("that nobody of ours would write are not read at all", () => {
    const bad: unknown[] = [
      null,
      [],
      "text",
      {},
      { ...RECORD, schema: "cs.member.v2" },
      { ...RECORD, id: "../../etc" },
      { ...RECORD, roles: "invoker" },
      { ...RECORD, address: "http://a b" },
      { ...RECORD, cpus: 0 },
      { ...RECORD, running: -1 },
      { ...RECORD, waiting: 1.5 },
      { ...RECORD, capacity: 1e9 },
      { ...RECORD, warm: "0123" },
      { ...RECORD, warm: "0".repeat(8 * (DIGESTS_MAX + 1)) },
      { ...RECORD, cached: ["00000001"] },
      { ...RECORD, padding: "x".repeat(64 * 1024) },
    ];
    for (const value of bad) {
      assert.equal(readMember(JSON.stringify(value)), undefined, JSON.stringify(value)?.slice(0, 80));
    }
    assert.equal(readMember("{"), undefined);
    assert.equal(readMember(""), undefined);
  });

  test("hold the first digests there is room for", () => {
    const many = Array.from({ length: DIGESTS_MAX + 100 }, (_, at) => at);
    const packed = packDigests(many);
    assert.equal(packed.length, DIGESTS_MAX * 8);
    assert.ok(unpackDigests(packed).has(0) && !unpackDigests(packed).has(DIGESTS_MAX));
    assert.equal(readMember(JSON.stringify({ ...RECORD, warm: packed, cached: packed }))?.warm, packed);
  });
});

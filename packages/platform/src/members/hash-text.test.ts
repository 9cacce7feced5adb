import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { affinity, hashText } from "./hash-text.ts";

describe("hashes of placement", () => {
  test("stay what they are: processes of several releases agree", () => {
    assert.equal(hashText(""), 0x811c9dc5);
    assert.equal(hashText("t_default/default/hello@1"), hashText("t_default/default/hello@1"));
    assert.equal(hashText("a"), 0xe40c292c, "FNV-1a as published");
  });

  test("spread versions evenly over members, and move only those of a member that went", () => {
    const members = Array.from({ length: 10 }, (_, at) => hashText(`i-${at}`));
    const first = (hash: number, among: readonly number[]): number =>
      among.reduce((best, member) => (affinity(hash, member) > affinity(hash, best) ? member : best));
    const counts = new Map<number, number>();
    let moved = 0;
    const VERSIONS = 20_000;
    for (let at = 0; at < VERSIONS; at++) {
      const version = hashText(`t_default/default/f${at}@${(at % 7) + 1}`);
      const home = first(version, members);
      counts.set(home, (counts.get(home) ?? 0) + 1);
      const after = first(version, members.slice(1));
      if (after !== home) {
        moved++;
        assert.equal(home, members[0], "only what was at home there moves");
      }
    }
    for (const count of counts.values()) {
      assert.ok(Math.abs(count - VERSIONS / 10) < (VERSIONS / 10) * 0.1, `${count} of ${VERSIONS}`);
    }
    assert.equal(moved, counts.get(members[0] as number));
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hashText } from "./hash-text.ts";
import { member } from "./members.fixture.ts";
import type { Member } from "./membership.ts";
import { type Candidate, rankMembers, type Subject } from "./rank-members.ts";

const candidate = (id: string, fields: Partial<Member> = {}, load = 0): Candidate => ({
  member: member(id, fields),
  hash: hashText(id),
  load,
});

const SUBJECT: Subject = { tenant: hashText("t_default"), version: 11, bundle: 22 };
const WARM = { warm: new Set([SUBJECT.version]), cached: new Set([SUBJECT.bundle]) };
const CACHED = { cached: new Set([SUBJECT.bundle]) };

const idsOf = (candidates: readonly Candidate[], subject = SUBJECT, count = 3): string[] =>
  rankMembers(subject, candidates, count).map((ranked) => ranked.candidate.member.id);

describe("ranking members for a version", () => {
  test("warm comes before cached, cached before all others, each with its reason", () => {
    const ranked = rankMembers(
      SUBJECT,
      [candidate("m-none"), candidate("m-cached", CACHED), candidate("m-warm", WARM)],
      3,
    );
    assert.deepEqual(
      ranked.map(({ candidate: { member: at }, reason }) => [at.id, reason]),
      [
        ["m-warm", "warm"],
        ["m-cached", "cached"],
        ["m-none", "spread"],
      ],
    );
  });

  test("what is cached outweighs load, and of equals the idle one is chosen", () => {
    const busy = candidate("m-busy", CACHED, 1000);
    assert.deepEqual(idsOf([candidate("m-idle"), busy]), ["m-busy", "m-idle"]);
    for (const version of [1, 2, 3, 4, 5]) {
      const among = [candidate("m-busy", {}, 16), candidate("m-idle", {}, 0)];
      assert.equal(idsOf(among, { ...SUBJECT, version })[0], "m-idle");
    }
  });

  test("small differences of load send no version elsewhere", () => {
    for (let version = 0; version < 50; version++) {
      const subject = { ...SUBJECT, version };
      const calm = idsOf([candidate("m-a"), candidate("m-b")], subject);
      assert.deepEqual(idsOf([candidate("m-a", {}, 3), candidate("m-b", {}, 1)], subject), calm);
    }
  });

  test("the order in which members are listed changes nothing", () => {
    const all = Array.from({ length: 20 }, (_, at) => candidate(`m-${at}`));
    assert.deepEqual(idsOf(all), idsOf(all.toReversed()));
  });

  test("the versions of a tenant stay with two members, those of many tenants are spread", () => {
    const all = Array.from({ length: 10 }, (_, at) => candidate(`m-${at}`));
    const used = new Set<string>();
    for (let tenant = 0; tenant < 50; tenant++) {
      const homes = new Set<string>();
      for (let version = 0; version < 40; version++) {
        const subject = { tenant: hashText(`t_${tenant}`), version: hashText(`v${version}`), bundle: 0 };
        homes.add(idsOf(all, subject, 1)[0] as string);
      }
      assert.equal(homes.size, 2, [...homes].join(" "));
      for (const home of homes) used.add(home);
    }
    assert.equal(used.size, 10, "every member is some tenant's home");
  });

  test("gives no more than asked for, and nobody where there is nobody", () => {
    const all = Array.from({ length: 5 }, (_, at) => candidate(`m-${at}`));
    assert.equal(idsOf(all, SUBJECT, 2).length, 2);
    assert.deepEqual(idsOf([]), []);
  });
});

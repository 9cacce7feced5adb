import assert from "node:assert/strict";
import { test } from "node:test";
import { type AliasStep, checkHistory, type History, type SeenRecord } from "../support/history.ts";

const RULES = { attemptsMax: 3, staleMs: 1000 };
const END: SeenRecord = {
  status: "success",
  attempt: 1,
  end_ms: 150,
  resolved_version: 1,
  result: { body: '{"n":7}' },
};
const FAILED: SeenRecord = { status: "error", attempt: 3, end_ms: 150, resolved_version: 1 };

const move = (version: number, askedMs: number, answeredMs = Infinity): AliasStep => ({
  kind: "move",
  version,
  askedMs,
  answeredMs,
});
const read = (version: number, askedMs: number, answeredMs: number): AliasStep => ({
  kind: "read",
  version,
  askedMs,
  answeredMs,
});

/** One call `a` that went well, with whatever is different. */
function history(different: {
  records?: SeenRecord[];
  runs?: [attempt: number, version: number, atMs: number][];
  poisoned?: boolean;
  dead?: string[];
  sentMs?: number;
  ackedMs?: number;
  aliasSteps?: History["aliasSteps"];
  troubles?: History["troubles"];
}): History {
  const { records = [END], runs = [[1, 1, 120]], poisoned = false, dead = [], sentMs = 100 } = different;
  const { ackedMs = sentMs + 5 } = different;
  return {
    calls: new Map([["a", { n: 7, poisoned, sentMs, ackedMs }]]),
    records: new Map([["a", [{ ...END, status: "queued" }, ...records]]]),
    runs: new Map([["a", runs.map(([attempt, version, atMs]) => ({ attempt, version, atMs }))]]),
    aliasSteps: different.aliasSteps ?? [move(1, 0, 1)],
    dead: new Set(dead),
    troubles: different.troubles ?? [],
  };
}

const problems = (different: Parameters<typeof history>[0]): string =>
  checkHistory(history(different), RULES).problems.join("; ");

test("a good history has no problems", () => {
  assert.equal(problems({}), "");
  assert.equal(problems({ poisoned: true, dead: ["a"], records: [FAILED] }), "");
});

test("each way in which work may be lost or done twice is found", () => {
  assert.match(problems({ records: [] }), /acknowledged and never ended/);
  assert.match(problems({ records: [END, { ...END, end_ms: 151 }] }), /ended twice/);
  assert.match(problems({ records: [FAILED] }), /ended as error, not success/);
  assert.match(problems({ records: [{ ...END, result: { body: "{}" } }] }), /answered \{\}/);
  assert.match(problems({ runs: [] }), /end without a run/);
  assert.match(problems({ runs: [[4, 1, 120]] }), /attempt 4 of 3/);
  for (const attempt of [1, 2]) {
    assert.match(problems({ runs: [[attempt, 1, 151]] }), /attempt \d began 1 ms after its end/);
  }
  assert.match(problems({ runs: [[1, 2, 120]] }), /ran version 2, pinned was 1/);
  assert.match(problems({ poisoned: true, records: [FAILED] }), /is no dead letter/);
  assert.match(problems({ dead: ["a"] }), /is a dead letter and should not be/);
});

/** Calls of one function: `[sent, acknowledged, begun]`, and the attempt they ended as. */
function inOrder(times: [sentMs: number, ackedMs: number, startMs: number, attempt?: number][]): History {
  const ids = times.map((_, at) => `call-${at}`);
  const each = <T>(make: (at: number, times_: (typeof times)[number]) => T): Map<string, T> =>
    new Map(ids.map((id, at) => [id, make(at, times[at] as (typeof times)[number])]));
  return {
    calls: each((n, [sentMs, ackedMs]) => ({ n, poisoned: false, sentMs, ackedMs })),
    records: each((n, [, , start_ms, attempt = 1]) => [
      { ...END, attempt, start_ms, end_ms: start_ms + 10, result: { body: JSON.stringify({ n }) } },
    ]),
    runs: each((_, [, , atMs, attempt = 1]) => [{ attempt, version: 1, atMs }]),
    aliasSteps: [move(1, 0, 1)],
    dead: new Set(),
  };
}

test("a call that begins before more than may be in hand of those taken earlier is found", () => {
  const check = (times: Parameters<typeof inOrder>[0], troubles: History["troubles"] = []): string =>
    checkHistory({ ...inOrder(times), troubles }, { ...RULES, inHandMax: 1 }).problems.join("; ");
  assert.equal(
    check([
      [0, 10, 100],
      [20, 30, 110],
      [40, 50, 120],
    ]),
    "",
  );
  assert.equal(
    check([
      [0, 10, 900],
      [20, 30, 110],
      [40, 50, 120],
    ]),
    "",
    "one was in hand",
  );
  const late: Parameters<typeof inOrder>[0] = [
    [0, 10, 200],
    [20, 30, 210],
    [40, 50, 120],
  ];
  assert.match(check(late), /^call-2: began before 2 that were taken before it was sent: call-0, call-1 …$/);
  assert.equal(
    check([
      [0, 10, 200],
      [20, 45, 210],
      [40, 50, 120],
    ]),
    "",
    "on their way at once they have no order",
  );
  assert.equal(
    check([
      [0, 10, 200, 2],
      [20, 30, 210],
      [40, 50, 120],
    ]),
    "",
    "its first attempt was lost",
  );
  assert.equal(
    check([
      [0, 10, 120],
      [20, 30, 120],
      [40, 50, 120],
    ]),
    "",
    "at once",
  );
  assert.equal(check(late, [{ fromMs: 150, untilMs: 160 }]), "");
  assert.equal(check(late, [{ fromMs: 90, untilMs: 120 }]), "");
  assert.notEqual(check(late, [{ fromMs: 90, untilMs: 119 }]), "", "it was over when it began");
  assert.notEqual(check(late, [{ fromMs: 211, untilMs: 300 }]), "");
});

test("a verdict tells how many calls began when one of too many that waited could have", () => {
  const judged = (times: Parameters<typeof inOrder>[0], troubles: History["troubles"] = []): number =>
    checkHistory({ ...inOrder(times), troubles }, { ...RULES, inHandMax: 1 }).orderJudged;
  assert.equal(
    judged([
      [0, 10, 20],
      [20, 30, 40],
      [20, 30, 50],
    ]),
    0,
    "none of them waited",
  );
  assert.equal(
    judged([
      [0, 10, 35],
      [20, 30, 40],
      [20, 30, 50],
    ]),
    1,
  );
  assert.equal(
    judged([
      [0, 10, 35],
      [20, 30, 40, 2],
      [20, 30, 50],
    ]),
    0,
    "its first attempt was lost",
  );
  assert.equal(
    judged(
      [
        [0, 10, 35],
        [20, 30, 40],
        [20, 30, 50],
      ],
      [{ fromMs: 0, untilMs: 35 }],
    ),
    0,
  );
  assert.equal(
    judged(
      [
        [0, 10, 35],
        [20, 30, 40],
        [20, 30, 50],
      ],
      [{ fromMs: 45, untilMs: 50 }],
    ),
    0,
  );
  assert.equal(
    judged(
      [
        [0, 10, 35],
        [20, 30, 40],
        [20, 30, 50],
      ],
      [{ fromMs: 51, untilMs: 60 }],
    ),
    1,
  );
});

/** What is said of a call that ran a version, while an alias took these steps. */
function ranVersion(
  version: number,
  sent: { sentMs: number; ackedMs?: number; troubles?: History["troubles"] },
  aliasSteps: readonly AliasStep[],
): string {
  const records = [{ ...END, end_ms: 90_000, resolved_version: version }];
  return problems({ ...sent, aliasSteps, records, runs: [[1, version, 80_000]] });
}

const ELSEWHERE = /ran version \d, where its alias did not stand/;

test("a call may run any version its alias stood at between its being sent and acknowledged, or a second before", () => {
  const steps = [move(1, 0, 10), move(2, 5000, 5010), move(3, 10_000, 10_010)];
  assert.equal(ranVersion(1, { sentMs: 4000 }, steps), "");
  assert.equal(ranVersion(2, { sentMs: 5005 }, steps), "", "the move was on its way");
  assert.equal(ranVersion(1, { sentMs: 6010 }, steps), "", "within the second it may be unknown");
  assert.match(ranVersion(1, { sentMs: 6011 }, steps), ELSEWHERE);
  assert.equal(ranVersion(2, { sentMs: 4000, ackedMs: 5000 }, steps), "", "it moved before it was taken");
});

test("a late call that runs a version from before a move that was acknowledged is found, whatever moved later", () => {
  const steps = [move(1, 0, 10), move(2, 5000, 5010), move(3, 10_000, 10_010), move(1, 20_000, 20_010)];
  assert.match(ranVersion(1, { sentMs: 12_000 }, steps), ELSEWHERE, "the alias comes back to it later");
  assert.match(ranVersion(2, { sentMs: 15_000 }, steps), ELSEWHERE);
  assert.equal(ranVersion(1, { sentMs: 20_000 }, steps), "");
  const open = [...steps.slice(0, 3), move(4, 20_000)];
  assert.match(ranVersion(1, { sentMs: 30_000 }, open), ELSEWHERE, "whatever became of the last move");
});

test("a call that runs a version whose move was not asked for yet is found", () => {
  const steps = [move(1, 0, 10), move(2, 5000, 5010)];
  assert.match(ranVersion(2, { sentMs: 4000, ackedMs: 4999 }, steps), ELSEWHERE);
  assert.match(ranVersion(3, { sentMs: 4000 }, steps), ELSEWHERE, "nobody ever moved it there");
});

test("a move that nobody answered is made or not until somebody tells where the alias stands", () => {
  const open = [move(1, 0, 10), move(2, 5000)];
  for (const version of [1, 2]) assert.equal(ranVersion(version, { sentMs: 9000 }, open), "");
  const undone = [...open, read(1, 7000, 7010)];
  assert.equal(ranVersion(2, { sentMs: 8000 }, undone), "");
  assert.match(ranVersion(2, { sentMs: 8011 }, undone), ELSEWHERE);
  assert.equal(ranVersion(1, { sentMs: 8011 }, undone), "");
  const done = [...open, read(2, 7000, 7010)];
  assert.match(ranVersion(1, { sentMs: 8011 }, done), ELSEWHERE);
  assert.equal(ranVersion(2, { sentMs: 8011 }, done), "");
  const late = [...undone, move(3, 10_000, 10_010), read(2, 15_000, 15_010)];
  assert.equal(ranVersion(2, { sentMs: 12_000 }, late), "", "it was made after all");
  assert.match(ranVersion(2, { sentMs: 8500, ackedMs: 9999 }, late), ELSEWHERE);
});

test("while nobody reaches the store what was last seen of an alias stands", () => {
  const steps = [move(1, 0, 10), move(2, 5000, 5010)];
  const troubles = [{ fromMs: 5500, untilMs: 8000, isStoreAway: true }];
  assert.equal(ranVersion(1, { sentMs: 7500, troubles }, steps), "");
  assert.equal(ranVersion(1, { sentMs: 9000, troubles }, steps), "", "it was seen last within the trouble");
  assert.match(ranVersion(1, { sentMs: 9001, troubles }, steps), ELSEWHERE);
  assert.match(
    ranVersion(1, { sentMs: 7500, troubles: [{ fromMs: 5500, untilMs: 8000 }] }, steps),
    ELSEWHERE,
  );
  const later = [{ fromMs: 6100, untilMs: 8000, isStoreAway: true }];
  assert.match(ranVersion(1, { sentMs: 7500, troubles: later }, steps), ELSEWHERE);
});

test("a verdict tells for how many calls a version would have been wrong", () => {
  const judged = (sentMs: number, aliasSteps: readonly AliasStep[]): number =>
    checkHistory(history({ sentMs, aliasSteps }), RULES).versionsJudged;
  assert.equal(judged(9000, [move(1, 0, 10)]), 0);
  assert.equal(judged(9000, [move(1, 0, 10), move(2, 5000)]), 0);
  assert.equal(judged(9000, [move(1, 0, 10), move(2, 5000, 5010)]), 1);
  assert.equal(judged(4000, [move(1, 0, 10), move(2, 5000, 5010)]), 0, "there was one version yet");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkHistory, type History, type SeenRecord } from "../support/history.ts";

const RULES = { attemptsMax: 3, staleMs: 1000 };
const END: SeenRecord = {
  status: "success",
  attempt: 1,
  end_ms: 150,
  resolved_version: 1,
  result: { body: '{"n":7}' },
};
const FAILED: SeenRecord = { status: "error", attempt: 3, end_ms: 150, resolved_version: 1 };

/** One call `a` that went well, with whatever is different. */
function history(different: {
  records?: SeenRecord[];
  runs?: [attempt: number, version: number, atMs: number][];
  poisoned?: boolean;
  dead?: string[];
  sentMs?: number;
  moves?: History["moves"];
  troubles?: History["troubles"];
}): History {
  const { records = [END], runs = [[1, 1, 120]], poisoned = false, dead = [], sentMs = 100 } = different;
  return {
    calls: new Map([["a", { n: 7, poisoned, sentMs }]]),
    records: new Map([["a", [{ ...END, status: "queued" }, ...records]]]),
    runs: new Map([["a", runs.map(([attempt, version, atMs]) => ({ attempt, version, atMs }))]]),
    moves: different.moves ?? [{ version: 1, askedMs: 0, answeredMs: 1 }],
    dead: new Set(dead),
    troubles: different.troubles ?? [],
  };
}

const problems = (different: Parameters<typeof history>[0]): string =>
  checkHistory(history(different), RULES).join("; ");

test("a good history has no problems", () => {
  assert.equal(problems({}), "");
  assert.equal(problems({ poisoned: true, dead: ["a"], records: [FAILED] }), "");
  const moved = [
    { version: 2, askedMs: 0, answeredMs: 1 },
    { version: 1, askedMs: 50, answeredMs: 60 },
  ];
  assert.equal(problems({ moves: moved }), "");
  const laterVersion = {
    records: [{ ...END, resolved_version: 2 }],
    runs: [[1, 2, 120]] as [number, number, number][],
  };
  assert.equal(
    problems({ ...laterVersion, moves: moved, sentMs: 1059 }),
    "",
    "within the second it may be unknown",
  );
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
  const moves = [
    { version: 1, askedMs: 0, answeredMs: 1 },
    { version: 2, askedMs: 50, answeredMs: 60 },
  ];
  assert.match(problems({ moves, sentMs: 1061 }), /version 1, which the alias had left/);
  const unanswered = { version: 2, askedMs: 50, answeredMs: Infinity };
  const since = [moves[0], unanswered, { version: 3, askedMs: 70, answeredMs: 80 }] as typeof moves;
  assert.equal(problems({ moves: since, sentMs: 1080 }), "");
  assert.match(problems({ moves: since, sentMs: 1081 }), /version 1, which the alias had left/);
  const late = {
    records: [{ ...END, resolved_version: 2 }],
    runs: [[1, 2, 120]] as [number, number, number][],
  };
  assert.equal(problems({ ...late, moves: since, sentMs: 9000 }), "", "it may have been carried out late");
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
    moves: [{ version: 1, askedMs: 0, answeredMs: 1 }],
    dead: new Set(),
  };
}

test("a call that begins before one that was taken earlier is found, where order is promised", () => {
  const rules = { ...RULES, disorderMs: 50 };
  const check = (...times: Parameters<typeof inOrder>[0]): string =>
    checkHistory(inOrder(times), rules).join("; ");
  assert.equal(check([0, 10, 100], [20, 30, 110], [40, 50, 120]), "");
  assert.match(check([0, 10, 200], [20, 30, 110]), /call-0: began 90 ms after call-1, which was sent later/);
  assert.match(check([0, 10, 200], [20, 30, 300], [40, 50, 110]), /call-0: began 90 ms after call-2/);
  assert.equal(check([0, 10, 150], [20, 30, 110]), "", "as near as clocks tell");
  assert.equal(check([0, 25, 200], [20, 30, 110]), "", "on their way at once they have no order");
  assert.equal(check([0, 10, 200, 2], [20, 30, 110]), "", "its first attempt was lost");
  const history = inOrder([
    [0, 10, 200],
    [20, 30, 110],
  ]);
  assert.deepEqual(checkHistory({ ...history, troubles: [{ fromMs: 150, untilMs: 160 }] }, rules), []);
  assert.equal(checkHistory({ ...history, troubles: [{ fromMs: 201, untilMs: 300 }] }, rules).length, 1);
});

test("a call that runs a version its alias had left is found, whatever became of the move after it", () => {
  const moves = [
    { version: 1, askedMs: 0, answeredMs: 1 },
    { version: 2, askedMs: 50, answeredMs: 60 },
    { version: 3, askedMs: 70, answeredMs: Infinity },
  ];
  const of = (version: number, sentMs: number): string =>
    problems({
      moves,
      sentMs,
      records: [{ ...END, end_ms: 9000, resolved_version: version }],
      runs: [[1, version, 8000]],
    });
  assert.match(of(1, 1061), /version 1, which the alias had left/);
  assert.equal(of(2, 5000), "", "nobody knows whether the last move was made");
  assert.equal(of(3, 5000), "");
});

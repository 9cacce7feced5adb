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
}): History {
  const { records = [END], runs = [[1, 1, 120]], poisoned = false, dead = [], sentMs = 100 } = different;
  return {
    calls: new Map([["a", { n: 7, poisoned, sentMs }]]),
    records: new Map([["a", [{ ...END, status: "queued" }, ...records]]]),
    runs: new Map([["a", runs.map(([attempt, version, atMs]) => ({ attempt, version, atMs }))]]),
    moves: different.moves ?? [{ version: 1, askedMs: 0, answeredMs: 1 }],
    dead: new Set(dead),
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
  assert.match(problems({ runs: [[1, 1, 151]] }), /ran again 1 ms after its end/);
  assert.match(problems({ runs: [[1, 2, 120]] }), /ran version 2, pinned was 1/);
  assert.match(problems({ poisoned: true, records: [FAILED] }), /is no dead letter/);
  assert.match(problems({ dead: ["a"] }), /is a dead letter and should not be/);
  const moves = [
    { version: 1, askedMs: 0, answeredMs: 1 },
    { version: 2, askedMs: 50, answeredMs: 60 },
  ];
  assert.match(problems({ moves, sentMs: 1061 }), /version 1, which the alias had left/);
});

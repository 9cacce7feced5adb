/** A record as a reader saw it. */
export interface SeenRecord {
  status: string;
  attempt: number;
  end_ms: number | null;
  resolved_version: number;
  result?: { body: string };
}

/** One call that was acknowledged: what it has to answer, and when it was sent and taken. */
export interface AcknowledgedCall {
  n: number;
  /** Its handler fails each time: it has to end in the dead letters. */
  poisoned: boolean;
  sentMs: number;
}

/** One start of a handler, as the handler itself noted it. */
export interface NotedRun {
  attempt: number;
  version: number;
  atMs: number;
}

export interface AliasMove {
  version: number;
  /** When the move was asked for, and when it was answered. */
  askedMs: number;
  answeredMs: number;
}

/** What the outside world saw of a platform while parts of it were killed. All times are of one clock. */
export interface History {
  calls: ReadonlyMap<string, AcknowledgedCall>;
  /** Each different record that was seen of an activation, oldest first. */
  records: ReadonlyMap<string, readonly SeenRecord[]>;
  runs: ReadonlyMap<string, readonly NotedRun[]>;
  moves: readonly AliasMove[];
  dead: ReadonlySet<string>;
}

export interface HistoryRules {
  attemptsMax: number;
  /** How long a process may go on with an alias it has seen. */
  staleMs: number;
}

export const isTerminal = ({ status }: { status: string }): boolean =>
  status !== "queued" && status !== "running";

/**
 * Judges a history: nothing acknowledged is lost, every activation has one end that stays, none runs after it or more
 * often than it may, a poisoned one is a dead letter and no other is, and no call runs a version its alias had left
 * before the call came.
 * @returns what is wrong, a line each
 */
export function checkHistory(history: History, rules: HistoryRules): string[] {
  const problems: string[] = [];
  for (const [id, call] of history.calls) {
    for (const problem of problemsOf(id, call, history, rules))
      problems.push(`${id} (${call.n}): ${problem}`);
  }
  for (const id of history.dead) {
    if (history.calls.get(id)?.poisoned === false) problems.push(`${id}: is a dead letter and should not be`);
  }
  return problems;
}

function* problemsOf(
  id: string,
  call: AcknowledgedCall,
  { records, runs: allRuns, moves, dead }: History,
  { attemptsMax, staleMs }: HistoryRules,
): Iterable<string> {
  const terminal = (records.get(id) ?? []).filter(isTerminal);
  const [end, second] = terminal;
  if (end === undefined) {
    yield "was acknowledged and never ended";
    return;
  }
  if (second !== undefined) yield `ended twice: ${JSON.stringify([end, second])}`;
  const expected = call.poisoned ? "error" : "success";
  if (end.status !== expected) yield `ended as ${end.status}, not ${expected}: ${JSON.stringify(end)}`;
  if (!call.poisoned && end.result?.body !== JSON.stringify({ n: call.n }))
    yield `answered ${end.result?.body}`;
  if (call.poisoned && !dead.has(id)) yield "is no dead letter";
  const runs = allRuns.get(id) ?? [];
  if (runs.length === 0) yield "has an end without a run";
  for (const { attempt, version, atMs } of runs) {
    if (attempt > attemptsMax) yield `ran as attempt ${attempt} of ${attemptsMax}`;
    if (end.end_ms !== null && atMs > end.end_ms) yield `ran again ${atMs - end.end_ms} ms after its end`;
    if (version !== end.resolved_version) yield `ran version ${version}, pinned was ${end.resolved_version}`;
  }
  if (!allowedVersions(call.sentMs, moves, staleMs).has(end.resolved_version))
    yield `ran version ${end.resolved_version}, which the alias had left before it was sent`;
}

/** Every version the alias may have meant to somebody who looked up to `staleMs` before a moment, or just after it. */
function allowedVersions(sentMs: number, moves: readonly AliasMove[], staleMs: number): Set<number> {
  const allowed = new Set<number>();
  for (const [at, { version }] of moves.entries()) {
    const next = moves[at + 1];
    // It is the alias's from when its move was asked for until the next one was answered, as far as anybody can tell.
    if (next === undefined || next.answeredMs >= sentMs - staleMs) allowed.add(version);
  }
  return allowed;
}

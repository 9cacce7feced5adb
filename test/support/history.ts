/** A record as a reader saw it. */
export interface SeenRecord {
  status: string;
  attempt: number;
  /** When its last attempt began. */
  start_ms?: number | null;
  end_ms: number | null;
  /** Those before the last one. */
  attempts?: { attempt: number; start_ms: number | null; end_ms: number | null }[];
  resolved_version: number;
  result?: { body: string };
}

/** One call that was acknowledged: what it has to answer, and when it was sent and taken. */
export interface AcknowledgedCall {
  n: number;
  /** Its handler fails each time: it has to end in the dead letters. */
  poisoned: boolean;
  sentMs: number;
  /** When it was acknowledged (nobody noted it: its order is not judged). */
  ackedMs?: number;
}

/** One start of a handler, as the handler itself noted it. */
export interface NotedRun {
  attempt: number;
  version: number;
  atMs: number;
}

/** What the one who moves an alias asked for or learned, in this order and never two at a time. */
export interface AliasStep {
  /** It asked that the alias move to this version, or read that it stood there. */
  kind: "move" | "read";
  version: number;
  askedMs: number;
  /** `Infinity`: nobody answered, so that it may be carried out until a later step tells where the alias stands. */
  answeredMs: number;
}

/** While something of the platform is broken, and as long as it may be felt. */
export interface Trouble {
  fromMs: number;
  untilMs: number;
  /** Nobody reached the store: what was last seen of an alias stands meanwhile (no). */
  isStoreAway?: boolean;
}

/** Troubles this close to a run that should not be are shown with it. */
const NEARBY_MS = 10_000;

/** What the outside world saw of a platform while parts of it were killed. All times are of one clock. */
export interface History {
  calls: ReadonlyMap<string, AcknowledgedCall>;
  /** Each different record that was seen of an activation, oldest first. */
  records: ReadonlyMap<string, readonly SeenRecord[]>;
  runs: ReadonlyMap<string, readonly NotedRun[]>;
  aliasSteps: readonly AliasStep[];
  dead: ReadonlySet<string>;
  /** (none) */
  troubles?: readonly Trouble[];
}

export interface HistoryRules {
  attemptsMax: number;
  /** How long a process may go on with an alias it has seen, while it reaches the store. */
  staleMs: number;
  /** By how much a call may begin before one that was acknowledged before it was sent (any). */
  disorderMs?: number;
}

export interface Verdict {
  /** What is wrong, a line each. */
  problems: string[];
  /** Calls for which at least one version that was there would have been wrong. */
  versionsJudged: number;
}

export const isTerminal = ({ status }: { status: string }): boolean =>
  status !== "queued" && status !== "running";

/**
 * Judges a history: nothing acknowledged is lost, every activation has one end that stays, none runs after it or more
 * often than it may, a poisoned one is a dead letter and no other is, every call runs a version its alias stood at at
 * some moment between its being sent and its being acknowledged, and calls of the function begin in the order they were
 * taken, but for those whose first attempt was lost or that waited while something was broken: all calls of a history are
 * of one function and asynchronous.
 */
export function checkHistory(history: History, rules: HistoryRules): Verdict {
  const problems: string[] = [];
  const spans = spansOf(history.aliasSteps);
  let versionsJudged = 0;
  for (const [id, call] of history.calls) {
    const allowed = allowedVersions(call, spans, history.troubles ?? [], rules.staleMs);
    if (allowed.size < versionsUntil(call, spans).size) versionsJudged++;
    for (const problem of problemsOf(id, call, allowed, history, rules))
      problems.push(`${id} (${call.n}): ${problem}`);
  }
  for (const id of history.dead) {
    if (history.calls.get(id)?.poisoned === false) problems.push(`${id}: is a dead letter and should not be`);
  }
  problems.push(...outOfOrder(history, rules.disorderMs ?? Infinity));
  return { problems, versionsJudged };
}

/** Calls that began after one that was sent when they had been acknowledged already. */
function* outOfOrder({ calls, records, troubles = [] }: History, disorderMs: number): Iterable<string> {
  const begun = [...calls]
    .map(([id, { sentMs, ackedMs = Infinity }]) => ({
      id,
      sentMs,
      ackedMs,
      startMs: firstStart(records.get(id)),
    }))
    .toSorted((a, b) => a.sentMs - b.sentMs);
  const isTroubled = (fromMs: number, untilMs: number): boolean =>
    troubles.some((trouble) => trouble.fromMs <= untilMs && trouble.untilMs >= fromMs);
  // From the last one sent to the first: the earliest start among those sent later.
  const earliest: { id: string; startMs: number }[] = [];
  let first = { id: "", startMs: Infinity };
  for (const { id, startMs } of begun.toReversed()) {
    if (startMs !== undefined && startMs < first.startMs) first = { id, startMs };
    earliest.push(first);
  }
  earliest.reverse();
  for (const { id, ackedMs, startMs } of begun) {
    if (startMs === undefined) continue;
    const later = firstAfter(begun, ackedMs);
    const passing = earliest[later];
    if (passing === undefined || startMs <= passing.startMs + disorderMs) continue;
    if (!isTroubled(ackedMs, startMs))
      yield `${id}: began ${startMs - passing.startMs} ms after ${passing.id}, which was sent later`;
  }
}

/** @returns the place of the first call that was sent after a moment, in a list in that order */
function firstAfter(calls: readonly { sentMs: number }[], atMs: number): number {
  let [low, high] = [0, calls.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((calls[middle]?.sentMs ?? 0) > atMs) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** @returns when the only attempt of a call began */
function firstStart(seen: readonly SeenRecord[] | undefined): number | undefined {
  const end = seen?.find(isTerminal);
  return end?.attempt === 1 ? (end.start_ms ?? undefined) : undefined;
}

function* problemsOf(
  id: string,
  call: AcknowledgedCall,
  allowed: ReadonlySet<number>,
  { records, runs: allRuns, dead, troubles = [] }: History,
  { attemptsMax }: HistoryRules,
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
  if (call.poisoned && !dead.has(id)) yield `is no dead letter: ${JSON.stringify(toldBriefly(end))}`;
  const runs = allRuns.get(id) ?? [];
  if (runs.length === 0) yield "has an end without a run";
  for (const { attempt, version, atMs } of runs) {
    if (attempt > attemptsMax) yield `ran as attempt ${attempt} of ${attemptsMax}`;
    if (end.end_ms !== null && atMs > end.end_ms) {
      const nearby = troubles.filter(
        ({ fromMs, untilMs }) => untilMs > atMs - NEARBY_MS && fromMs < atMs + NEARBY_MS,
      );
      const seen = JSON.stringify({ end: toldBriefly(end), runs, troubles: nearby });
      yield `attempt ${attempt} began ${atMs - end.end_ms} ms after its end: ${seen}`;
    }
    if (version !== end.resolved_version) yield `ran version ${version}, pinned was ${end.resolved_version}`;
  }
  if (!allowed.has(end.resolved_version))
    yield `ran version ${end.resolved_version}, where its alias did not stand: ${[...allowed].join(", ")} may be`;
}

/** What is shown of an end: of its attempts when each began and ended. */
function toldBriefly({ attempts = [], ...end }: SeenRecord): object {
  return { ...end, attempts: attempts.map(({ attempt, start_ms, end_ms }) => [attempt, start_ms, end_ms]) };
}

/** A time in which an alias may have stood at a version. */
interface Span {
  version: number;
  fromMs: number;
  untilMs: number;
}

/**
 * An alias is a register: a move happens at some moment between its being asked for and answered, a read tells where the
 * alias stood at one. So it may stand at a version from when that was asked for until a later step that was answered says
 * that it stands elsewhere. What nobody answered may still come later: then a read shows it, and it may have come right
 * after the step before that read.
 */
function spansOf(steps: readonly AliasStep[]): Span[] {
  return steps.map(({ kind, version, askedMs }, at) => {
    const left = steps
      .slice(at + 1)
      .find((later) => later.version !== version && later.answeredMs < Infinity);
    const fromMs = kind === "move" ? askedMs : (steps[at - 1]?.askedMs ?? -Infinity);
    return { version, fromMs, untilMs: left?.answeredMs ?? Infinity };
  });
}

/** Every version where the alias may have stood between a call's being sent, or what was last seen then, and acknowledged. */
function allowedVersions(
  { sentMs, ackedMs = Infinity }: AcknowledgedCall,
  spans: readonly Span[],
  troubles: readonly Trouble[],
  staleMs: number,
): Set<number> {
  let seenMs = sentMs - staleMs;
  for (const { fromMs, untilMs, isStoreAway = false } of troubles.toReversed()) {
    if (isStoreAway && fromMs <= ackedMs && untilMs >= seenMs) seenMs = Math.min(seenMs, fromMs - staleMs);
  }
  const within = spans.filter(({ fromMs, untilMs }) => fromMs <= ackedMs && untilMs >= seenMs);
  return new Set(within.map(({ version }) => version));
}

/** Every version that was there when a call was acknowledged. */
const versionsUntil = ({ ackedMs = Infinity }: AcknowledgedCall, spans: readonly Span[]): Set<number> =>
  new Set(spans.filter(({ fromMs }) => fromMs <= ackedMs).map(({ version }) => version));

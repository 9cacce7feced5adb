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
  /** Somebody who resolves aliases did not reach the store: what was last seen stands meanwhile (no). */
  isStoreAway?: boolean;
}

/** What happened this close to a call or run that should not be is shown with it. */
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
  /** Most calls that all invokers together have claimed and not begun (any). */
  inHandMax?: number;
}

export interface Verdict {
  /** What is wrong, a line each. */
  problems: string[];
  /** Calls for which at least one version that was there would have been wrong. */
  versionsJudged: number;
  /** Calls that began when more were waiting than may be in hand: had the last of them begun instead, it had been found. */
  orderJudged: number;
}

export const isTerminal = ({ status }: { status: string }): boolean =>
  status !== "queued" && status !== "running";

/**
 * Judges a history: nothing acknowledged is lost, every activation has one end that stays, none runs after it or more
 * often than it may, a poisoned one is a dead letter and no other is, every call runs a version its alias stood at at
 * some moment between its being sent and its being acknowledged, and calls of the function begin in the order they were
 * taken, as far as can be told, but for those whose first attempt was lost or that were passed while something was
 * broken: all calls of a history are of one function and asynchronous.
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
  const order = judgeOrder(history, rules.inHandMax ?? Infinity);
  problems.push(...order.problems);
  return { problems, versionsJudged, orderJudged: order.judged };
}

/** A call that ended with its first attempt. */
interface Begun {
  id: string;
  sentMs: number;
  ackedMs: number;
  startMs: number;
}

/**
 * Finds calls that began before more of those that had been taken when they were sent than may be in hand, which means
 * claimed in their order and not begun yet. How long those in hand take is the machine's; how many they are is not.
 * Those that began when something had been broken meanwhile are left out.
 */
function judgeOrder(
  { calls, records, troubles = [] }: History,
  inHandMax: number,
): { problems: string[]; judged: number } {
  const begun: Begun[] = [...calls]
    .flatMap(([id, { sentMs, ackedMs = Infinity }]) => {
      const startMs = firstStart(records.get(id));
      return startMs === undefined ? [] : [{ id, sentMs, ackedMs, startMs }];
    })
    .toSorted((a, b) => a.startMs - b.startMs);
  const problems: string[] = [];
  let judged = 0;
  for (const [at, { id, sentMs, startMs }] of begun.entries()) {
    const calmMs = calmUntil(startMs, troubles);
    const passed: string[] = [];
    let waiting = 0;
    for (let next = at + 1; next < begun.length; next++) {
      const other = begun[next] as Begun;
      if (other.startMs >= calmMs) break;
      if (other.startMs === startMs) continue;
      if (other.ackedMs < startMs) waiting++;
      if (other.ackedMs < sentMs) passed.push(other.id);
    }
    if (waiting > inHandMax) judged++;
    if (passed.length > inHandMax) {
      const some = passed.slice(0, 3).join(", ");
      problems.push(`${id}: began before ${passed.length} that were taken before it was sent: ${some} …`);
    }
  }
  return { problems, judged };
}

/** @returns when something is broken next, which may be at once */
function calmUntil(atMs: number, troubles: readonly Trouble[]): number {
  let calmMs = Infinity;
  for (const { fromMs, untilMs } of troubles) {
    if (untilMs >= atMs) calmMs = Math.min(calmMs, Math.max(fromMs, atMs));
  }
  return calmMs;
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
  { records, runs: allRuns, aliasSteps, dead, troubles = [] }: History,
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
      const seen = JSON.stringify({ end: toldBriefly(end), runs, troubles: nearby(troubles, atMs) });
      yield `attempt ${attempt} began ${atMs - end.end_ms} ms after its end: ${seen}`;
    }
    if (version !== end.resolved_version) yield `ran version ${version}, pinned was ${end.resolved_version}`;
  }
  if (!allowed.has(end.resolved_version)) {
    const steps = nearby(
      aliasSteps.map((step) => ({ ...step, fromMs: step.askedMs, untilMs: step.answeredMs })),
      call.sentMs,
    );
    const seen = JSON.stringify({
      call,
      end: toldBriefly(end),
      steps,
      troubles: nearby(troubles, call.sentMs),
    });
    yield `ran version ${end.resolved_version}, where its alias did not stand: ${[...allowed].join(", ")} may be: ${seen}`;
  }
}

const nearby = <T extends Trouble>(list: readonly T[], atMs: number): T[] =>
  list.filter(({ fromMs, untilMs }) => untilMs > atMs - NEARBY_MS && fromMs < atMs + NEARBY_MS);

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

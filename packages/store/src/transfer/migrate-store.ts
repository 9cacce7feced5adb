import { createHash } from "node:crypto";
import { PlatformError } from "@sous/contract";
import { type Kind, KIND_NAMES, keyOf, type Row } from "./kinds.ts";
import { type Fingerprint, NO_ROWS, rowHash, withRow } from "./row-hash.ts";
import type { StoreEnd } from "./store-end.ts";

export interface MigrateOptions {
  from: StoreEnd;
  to: StoreEnd;
  /** Of activations only those that were queued at or after this moment, epoch milliseconds (all). */
  sinceMs?: number | undefined;
  /** Leaves activations and their logs behind (no). */
  withoutActivations?: boolean | undefined;
  /** Kinds of resources that are of the moment, as who works on a store: neither brought over nor counted (none). */
  momentaryKinds?: readonly string[] | undefined;
  /** Whether the target may hold something else; what has the same name there stays as it is (no). */
  merge?: boolean | undefined;
  /** Looks, and writes nothing (no). */
  dryRun?: boolean | undefined;
  /** The source is written meanwhile: rows may be met twice, and there is nothing to compare the copy with (no). */
  isLive?: boolean | undefined;
  /** Looks elsewhere for a bundle that is damaged in the source (nowhere). */
  findBundle?: ((sha256: string) => Promise<Uint8Array | undefined>) | undefined;
  /** Hears how far it is, after each batch (nobody). */
  onProgress?: ((progress: Progress) => void) | undefined;
}

export interface Progress {
  step: "look" | "copy" | "verify";
  kind: Kind;
  rows: number;
}

/** What became of the rows of one kind. */
export interface KindReport {
  kind: Kind;
  /** In the source, of those that were wanted. */
  rows: number;
  /** Written to the target, or with a dry run those that would be. */
  written: number;
  /** In the target already, and the same. */
  same: number;
  /** In the target under the same name, and different: left as they are. */
  kept: number;
}

export interface MigrateReport {
  from: string;
  to: string;
  dry_run: boolean;
  kinds: KindReport[];
  /** Names of what was kept, at most some of them: `aliases t_default/default/hello/prod`. */
  kept: string[];
  /** Bundles that do not have their hash in the source, nor anywhere else: not brought over. */
  damaged_bundles: string[];
  /** What an operator should know. */
  warnings: string[];
}

const SHOWN_MAX = 20;

/**
 * Brings everything a store holds into another, and proves it: afterwards both have the same rows, by count and hash, but for what
 * is of the moment. It may be run again at any time, after a crash too: what is there is not written again.
 * @throws CS_CONFLICT where the target holds something else; CS_STORE_WRITE_FAILED where the target does not hold what was written
 */
export async function migrateStore(options: MigrateOptions): Promise<MigrateReport> {
  const { from, to, dryRun = false } = options;
  const report: MigrateReport = {
    from: from.place,
    to: to.place,
    dry_run: dryRun,
    kinds: [],
    kept: [],
    damaged_bundles: [],
    warnings: [],
  };
  await lookAtQueue(options, report);
  const isEmpty = new Map<Kind, boolean>();
  const foreign: string[] = [];
  for (const kind of KIND_NAMES) {
    isEmpty.set(kind, await to.isEmpty(kind));
    if (options.merge !== true && isEmpty.get(kind) === false)
      foreign.push(...(await foreignRows(options, kind)));
  }
  if (foreign.length > 0) throw holdsSomethingElse(to, foreign);
  for (const kind of KIND_NAMES) {
    report.kinds.push(await bringKind(options, kind, isEmpty.get(kind) === true, report));
  }
  if (report.kinds.every(({ rows }) => rows === 0))
    report.warnings.push(`${from.place} holds nothing: is that its address, and its prefix?`);
  if (!dryRun) await to.settle();
  return report;
}

/** What waits in the source's embedded queue goes along: whatever queue the target's platform has, it takes it over at its start. */
async function lookAtQueue({ from, to }: MigrateOptions, { warnings }: MigrateReport): Promise<void> {
  let [waiting, dead] = [0, 0];
  for await (const rows of from.read("journal")) {
    for (const row of rows)
      if (row["dead"] === 1) dead += 1;
      else waiting += 1;
  }
  if (waiting > 0)
    warnings.push(
      `${waiting} calls wait in the source's queue, and run where a platform starts on ${to.place}`,
    );
  if (dead > 0)
    warnings.push(`${dead} dead letters of the source's queue are listed only where codeq is memory:`);
}

/** @returns what the target holds of a kind and the source does not */
async function foreignRows(options: MigrateOptions, kind: Kind): Promise<string[]> {
  const { from, to, onProgress } = options;
  const found: string[] = [];
  let rows = 0;
  for await (const kept of to.read(kind)) {
    const origins = await from.find(kind, kept);
    for (const [at, row] of kept.entries()) {
      if (isMomentary(options, kind, row)) continue;
      const origin = origins[at];
      const isWanted = origin !== undefined && passes(options, kind, origin);
      if (!isWanted || rowHash(kind, origin) !== rowHash(kind, row))
        found.push(`${kind} ${keyOf(kind, row)}`);
      if (found.length >= SHOWN_MAX) return found;
    }
    rows += kept.length;
    onProgress?.({ step: "look", kind, rows });
  }
  return found;
}

function holdsSomethingElse(to: StoreEnd, foreign: readonly string[]): PlatformError {
  const message = `${to.place} holds something that the source does not, as ${foreign[0]}; choose an empty one, or bring both together with --merge`;
  return new PlatformError("CS_CONFLICT", message, { details: { found: foreign } });
}

async function bringKind(
  options: MigrateOptions,
  kind: Kind,
  isEmpty: boolean,
  report: MigrateReport,
): Promise<KindReport> {
  const { from, to, onProgress, dryRun = false, merge = false, isLive = false } = options;
  const own: KindReport = { kind, rows: 0, written: 0, same: 0, kept: 0 };
  let wanted = NO_ROWS;
  for await (const rows of from.read(kind)) {
    const some = onceEach(kind, await wholeRows(options, kind, rows, report));
    const found = isEmpty && !isLive ? [] : await to.find(kind, some);
    const missing: Row[] = [];
    for (const [at, row] of some.entries()) {
      const hash = rowHash(kind, row);
      const there = found[at];
      if (there === undefined) missing.push(row);
      else if (rowHash(kind, there) === hash) own.same += 1;
      else {
        own.kept += 1;
        if (report.kept.length < SHOWN_MAX) report.kept.push(`${kind} ${keyOf(kind, row)}`);
      }
      wanted = withRow(wanted, hash);
    }
    if (missing.length > 0 && !dryRun) await to.insert(kind, missing);
    own.written += missing.length;
    own.rows = wanted.rows;
    onProgress?.({ step: "copy", kind, rows: wanted.rows });
  }
  if (!dryRun && !isLive) await (merge ? verifyMerged(options, own) : verify(options, kind, wanted));
  return own;
}

/** Only a source that is written meanwhile has a row twice; groups have no name. */
const onceEach = (kind: Kind, rows: readonly Row[]): readonly Row[] =>
  kind === "groups" ? rows : [...new Map(rows.map((row) => [keyOf(kind, row), row])).values()];

/** @returns the rows that are wanted; bundles only whole */
async function wholeRows(
  options: MigrateOptions,
  kind: Kind,
  rows: readonly Row[],
  report: MigrateReport,
): Promise<readonly Row[]> {
  if (kind !== "bundles") return rows.filter((row) => passes(options, kind, row));
  const whole: Row[] = [];
  for (const row of rows) {
    const sha256 = String(row["sha256"]);
    const bytes = row["bytes"] as Uint8Array;
    const good = hasHash(bytes, sha256) ? bytes : await options.findBundle?.(sha256);
    if (good !== undefined && hasHash(good, sha256)) whole.push({ ...row, bytes: good });
    else report.damaged_bundles.push(sha256);
  }
  return whole;
}

const hasHash = (bytes: Uint8Array, sha256: string): boolean =>
  createHash("sha256").update(bytes).digest("hex") === sha256;

/** Which moment decides whether a record of an activation is young enough. */
const MOMENTS: Partial<Record<Kind, string>> = {
  activations: "enqueued_at_ms",
  groups: "last_ms",
  logs: "at_ms",
};

const isMomentary = ({ momentaryKinds }: MigrateOptions, kind: Kind, row: Row): boolean =>
  kind === "resources" && momentaryKinds?.includes(String(row["kind"])) === true;

function passes(options: MigrateOptions, kind: Kind, row: Row): boolean {
  if (isMomentary(options, kind, row)) return false;
  const { sinceMs, withoutActivations } = options;
  const moment = MOMENTS[kind];
  if (moment === undefined) return true;
  return withoutActivations !== true && Number(row[moment]) >= (sinceMs ?? 0);
}

async function verify(options: MigrateOptions, kind: Kind, wanted: Fingerprint): Promise<void> {
  const { to, onProgress } = options;
  let there = NO_ROWS;
  for await (const rows of to.read(kind)) {
    for (const row of rows) {
      if (isMomentary(options, kind, row)) continue;
      // Bytes count by their length in a fingerprint.
      if (kind === "bundles" && !hasHash(row["bytes"] as Uint8Array, String(row["sha256"]))) {
        throw notAsWritten(kind, `bundle ${String(row["sha256"])} is damaged there`);
      }
      there = withRow(there, rowHash(kind, row));
    }
    onProgress?.({ step: "verify", kind, rows: there.rows });
  }
  if (there.rows !== wanted.rows)
    throw notAsWritten(kind, `${there.rows} are there, ${wanted.rows} were brought`);
  if (there.sum !== wanted.sum) throw notAsWritten(kind, "they do not say the same");
}

/** Beside rows of its own, each of the source's has to be there, the same or kept. */
async function verifyMerged(options: MigrateOptions, { kind, rows, kept }: KindReport): Promise<void> {
  const { from, to, onProgress } = options;
  let [same, different] = [0, 0];
  for await (const batch of from.read(kind)) {
    const wanted = batch.filter((row) => passes(options, kind, row));
    for (const [at, there] of (await to.find(kind, wanted)).entries()) {
      if (there === undefined) continue;
      if (rowHash(kind, there) === rowHash(kind, wanted[at] as Row)) same += 1;
      else different += 1;
    }
    onProgress?.({ step: "verify", kind, rows: same + different });
  }
  if (same + different < rows || different > kept) {
    throw notAsWritten(kind, `${same} of ${rows} are there, and ${different} different ones`);
  }
}

function notAsWritten(kind: Kind, problem: string): PlatformError {
  const message = `after the migration the target's ${kind} are not the source's: ${problem}; did something write to one of them meanwhile? Run it again`;
  return new PlatformError("CS_STORE_WRITE_FAILED", message);
}

import { createHash } from "node:crypto";
import type { CommandName, Commands } from "../sql/commands/commands.ts";

/** Something of which one transaction at a time has hold, or several that share it. */
export interface Lock {
  key: bigint;
  shared: boolean;
}

/** Locks of a kind are told apart by so many numbers: a transaction must not fill the server's table of locks. */
const STRIPES = 256;

type Rules = { [Name in CommandName]: (...args: Parameters<Commands[Name]>) => Lock[] };

/**
 * What a command reads before it writes, it must have to itself: processes write at once, and under READ COMMITTED
 * a row may change between two statements. Commands of one statement need no lock, unless they meet others that do.
 */
const RULES: Rules = {
  functionCreate: (...path) => [one("function", path)],
  functionSoftDelete: (...path) => [one("function", path)],
  draftPut: (...path) => [one("function", path), shared("bundles")],
  versionPublish: (...path) => [one("function", path), shared("bundles")],
  bundleMend: () => [shared("bundles")],
  aliasSet: (...path) => [one("function", path)],
  aliasDelete: (...path) => [one("function", path)],
  activationCreate: () => [],
  activationUpdate: () => [],
  activationFinish: () => [],
  activationsAppend: () => [],
  logsAppend: () => [],
  kvSet: (tenant, namespace) => [one("kv", [tenant, namespace]), shared("kv")],
  kvDelete: (tenant, namespace) => [one("kv", [tenant, namespace]), shared("kv")],
  secretPut: (tenant, namespace) => [one("secrets", [tenant, namespace])],
  secretReseal: (tenant, namespace) => [one("secrets", [tenant, namespace])],
  secretDelete: (tenant, namespace) => [one("secrets", [tenant, namespace])],
  scheduleCreate: (tenant, namespace) => [one("schedules", [tenant, namespace])],
  scheduleReplace: () => [],
  scheduleDelete: (tenant, namespace) => [one("schedules", [tenant, namespace])],
  // The term of its fence must not end between the look at it and the write.
  scheduleAdvance: (...values) => (values[10] === null ? [] : [shared("leases")]),
  leaseAcquire: () => [whole("leases")],
  leaseRenew: () => [whole("leases")],
  leaseRelease: () => [whole("leases")],
  leaseRaise: () => [whole("leases")],
  resourceCreate: (...path) => [one("resources", path)],
  resourceReplace: (...values) => (values[6] === null ? [] : [shared("leases")]),
  resourceDelete: (...path) => [one("resources", path)],
  auditBegin: () => [],
  auditEnd: () => [],
  tokenCreate: () => [],
  tokenRevoke: () => [],
  journalAppend: () => [],
  journalUpdate: () => [],
  journalRemove: () => [],
  probe: () => [whole("probe")],
  sweepActivations: () => [],
  sweepGroups: () => [],
  sweepLogs: () => [],
  // A bundle nobody names must not go while a draft that names it is on its way.
  sweepDrafts: () => [whole("bundles")],
  // It takes entries of any namespace.
  sweepKv: () => [whole("kv")],
  sweepAudit: () => [],
};

const KEYS = new Map<string, bigint>();

/** Locks of whole sessions. */
export const MIGRATION_LOCK = keyOf("migrations");
export const SWEEP_LOCK = keyOf("sweep");
export const SOLE_WRITER_LOCK = keyOf("sole writer");

/** One command of a batch, as it was written. */
export interface Command {
  name: CommandName;
  args: readonly unknown[];
}

/** @returns the locks of all the commands, each once, in the one order in which everybody takes them */
export function locksOf(batch: readonly Command[]): Lock[] {
  const locks = new Map<bigint, Lock>();
  for (const { name, args } of batch) {
    for (const lock of (RULES[name] as (...values: readonly unknown[]) => Lock[])(...args)) {
      const known = locks.get(lock.key);
      if (known === undefined || known.shared) locks.set(lock.key, lock);
    }
  }
  return [...locks.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

const one = (kind: string, path: readonly unknown[]): Lock => ({
  key: keyOf(`${kind} ${stripeOf(JSON.stringify(path.slice(0, 3)))}`),
  shared: false,
});

const whole = (kind: string): Lock => ({ key: keyOf(`all ${kind}`), shared: false });
const shared = (kind: string): Lock => ({ key: keyOf(`all ${kind}`), shared: true });

/** A number for a name that no other user of the database is likely to use. The names are few. */
function keyOf(name: string): bigint {
  let key = KEYS.get(name);
  if (key === undefined) {
    key = createHash("sha256").update(`sous store ${name}`).digest().readBigInt64BE();
    KEYS.set(name, key);
  }
  return key;
}

function stripeOf(text: string): number {
  let hash = 0;
  for (let at = 0; at < text.length; at++) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0;
  return (hash >>> 0) % STRIPES;
}

import type { Steps } from "./steps.ts";

/**
 * Every write of the store, with what it answers. Arguments are primitives, JSON text or bytes,
 * so that a batch of commands crosses threads as one flat array. A command throws a `Refusal` to be undone alone.
 */
export interface Commands {
  functionCreate(tenant: string, namespace: string, name: string, doc: string): void;
  functionSoftDelete(tenant: string, namespace: string, name: string, deletedAtMs: number): void;
  draftPut(
    tenant: string,
    namespace: string,
    name: string,
    draftId: string,
    sha256: string,
    sizeBytes: number,
    createdAtMs: number,
    expiresAtMs: number,
    bytes: Uint8Array,
  ): void;
  /** @returns the version's number */
  versionPublish(
    tenant: string,
    namespace: string,
    name: string,
    draftId: string,
    sha256: string,
    doc: string,
    alias: string | null,
    nowMs: number,
  ): number;
  bundleMend(sha256: string, bytes: Uint8Array): void;
  aliasSet(
    tenant: string,
    namespace: string,
    name: string,
    alias: string,
    version: number,
    weights: string | null,
    updatedAtMs: number,
  ): void;
  aliasDelete(tenant: string, namespace: string, name: string, alias: string): void;
  activationCreate(
    tenant: string,
    id: string,
    namespace: string,
    functionName: string,
    status: string,
    trigger: string,
    attempt: number,
    enqueuedAtMs: number,
    doc: string,
  ): void;
  activationUpdate(tenant: string, id: string, status: string, attempt: number, doc: string): boolean;
  activationFinish(
    tenant: string,
    id: string,
    namespace: string,
    functionName: string,
    status: string,
    trigger: string,
    attempt: number,
    enqueuedAtMs: number,
    doc: string,
  ): boolean;
  /** @param parts tenant, namespace, function, first and last moment and failures of each part, in turn */
  activationsAppend(
    firstMs: number,
    lastMs: number,
    ends: number,
    doc: string,
    ...parts: (string | number)[]
  ): void;
  logsAppend(tenant: string, activationId: string, count: number, lines: string, atMs: number): void;
  kvSet(
    tenant: string,
    namespace: string,
    key: string,
    json: string,
    bytes: number,
    expiresAtMs: number | null,
    quotaBytes: number,
    nowMs: number,
  ): void;
  kvDelete(tenant: string, namespace: string, key: string, nowMs: number): boolean;
  /** @returns the version of the value */
  secretPut(
    tenant: string,
    namespace: string,
    name: string,
    keyId: string,
    sealed: string,
    nowMs: number,
    namespaceMax: number,
  ): number;
  /** @returns whether it was sealed as `was` */
  secretReseal(
    tenant: string,
    namespace: string,
    name: string,
    keyId: string,
    sealed: string,
    was: string,
  ): boolean;
  secretDelete(tenant: string, namespace: string, name: string): void;
  scheduleCreate(
    tenant: string,
    namespace: string,
    name: string,
    uid: string,
    doc: string,
    nextTickMs: number | null,
    dueAtMs: number | null,
    namespaceMax: number,
  ): void;
  /** @param generation of the changed record: one more than that of the row */
  scheduleReplace(
    tenant: string,
    namespace: string,
    name: string,
    uid: string,
    generation: number,
    doc: string,
    nextTickMs: number | null,
    dueAtMs: number | null,
  ): boolean;
  scheduleDelete(tenant: string, namespace: string, name: string): void;
  /** @param readSeq the `tick_seq` the row must have. @param lease null for no fence */
  scheduleAdvance(
    tenant: string,
    namespace: string,
    name: string,
    uid: string,
    readSeq: number,
    tickSeq: number,
    nextTickMs: number | null,
    dueAtMs: number | null,
    inflight: string | null,
    catchupEndSeq: number | null,
    lease: string | null,
    epoch: number,
  ): boolean;
  /**
   * @param staleEpoch with `staleUntilMs` a lease that counts as run out; 0 for none
   * @returns the epoch, 0 while somebody holds it
   */
  leaseAcquire(
    name: string,
    holder: string,
    nowMs: number,
    untilMs: number,
    staleEpoch: number,
    staleUntilMs: number,
  ): number;
  leaseRenew(name: string, epoch: number, untilMs: number): boolean;
  leaseRelease(name: string, epoch: number): void;
  leaseRaise(name: string, holder: string, epoch: number): boolean;
  resourceCreate(
    kind: string,
    tenant: string,
    namespace: string,
    name: string,
    doc: string,
    max: number,
  ): void;
  /** @param generation the row must have. @param lease null for no fence */
  resourceReplace(
    kind: string,
    tenant: string,
    namespace: string,
    name: string,
    generation: number,
    doc: string,
    lease: string | null,
    epoch: number,
  ): boolean;
  /** @param generation the row must have, 0 for any */
  resourceDelete(kind: string, tenant: string, namespace: string, name: string, generation: number): boolean;
  auditBegin(tenant: string, id: string, atMs: number, doc: string): void;
  auditEnd(tenant: string, id: string, doc: string): boolean;
  tokenCreate(
    tokenId: string,
    tenant: string,
    secretSha256: string,
    createdAtMs: number,
    revokedAtMs: number | null,
    doc: string,
  ): void;
  tokenRevoke(tenant: string, tokenId: string, revokedAtMs: number): void;
  journalAppend(
    id: string,
    topic: string,
    tenant: string,
    lane: string,
    bodyJson: string,
    attempt: number,
    enqueuedAtMs: number,
    dueAtMs: number,
    expiresAtMs: number,
    dead: number,
    deadReason: string | null,
  ): void;
  journalUpdate(
    id: string,
    attempt: number,
    dueAtMs: number,
    expiresAtMs: number,
    dead: number,
    deadReason: string | null,
  ): void;
  journalRemove(id: string): void;
  probe(atMs: number): void;
  /** The sweeps remove at most `limit` rows each call, so that other writes get in between. */
  sweepActivations(beforeMs: number, limit: number): number;
  sweepGroups(beforeMs: number, limit: number): number;
  sweepLogs(beforeMs: number, limit: number): number;
  sweepDrafts(nowMs: number, limit: number): number;
  sweepKv(nowMs: number, limit: number): number;
  sweepAudit(beforeMs: number, limit: number): number;
}

export type CommandName = keyof Commands;

/** How each command is carried out. */
export type CommandSteps = {
  [Name in CommandName]: (...args: Parameters<Commands[Name]>) => Steps<ReturnType<Commands[Name]>>;
};

interface CommandTraits {
  /** One statement, whatever it answers: what follows may be sent before the answer is there. */
  single?: true;
  /** Writes more than one row and may be refused half-way: it runs in a savepoint of its own. */
  savepoint?: true;
  /** Nobody waits for it as a rule: it may wait a few milliseconds for company. */
  relaxed?: true;
}

/** What the batch runner and the group commit need to know of each command. The order gives the numbers. */
export const COMMANDS: Readonly<Record<CommandName, CommandTraits>> = {
  functionCreate: { single: true },
  functionSoftDelete: { single: true },
  draftPut: { savepoint: true },
  versionPublish: { savepoint: true },
  bundleMend: { single: true },
  aliasSet: {},
  aliasDelete: { single: true },
  activationCreate: { single: true },
  activationUpdate: { single: true },
  activationFinish: { relaxed: true, single: true },
  activationsAppend: { relaxed: true, savepoint: true },
  logsAppend: { relaxed: true, single: true },
  kvSet: { savepoint: true },
  kvDelete: { savepoint: true },
  // Refused before its only write.
  secretPut: {},
  secretReseal: { single: true },
  secretDelete: { single: true },
  // Refused before its only write.
  scheduleCreate: {},
  scheduleReplace: { single: true },
  scheduleDelete: { single: true },
  scheduleAdvance: {},
  leaseAcquire: {},
  leaseRenew: { single: true },
  leaseRelease: { single: true },
  leaseRaise: {},
  // Refused before its only write.
  resourceCreate: {},
  resourceReplace: {},
  resourceDelete: { single: true },
  auditBegin: { single: true },
  auditEnd: { single: true },
  tokenCreate: { single: true },
  tokenRevoke: { single: true },
  journalAppend: { single: true },
  journalUpdate: { single: true },
  journalRemove: { single: true },
  probe: { single: true },
  sweepActivations: { savepoint: true },
  sweepGroups: { savepoint: true },
  sweepLogs: { savepoint: true },
  sweepDrafts: { savepoint: true },
  sweepKv: { savepoint: true },
  sweepAudit: { savepoint: true },
};

/** Commands by number: a batch names them by their place here. */
export const COMMAND_NAMES = Object.keys(COMMANDS) as readonly CommandName[];

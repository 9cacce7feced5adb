import {
  type ActivationAttempt,
  type ActivationRecord,
  type Invocation,
  LIMITS,
  type Principal,
} from "@sous/contract";
import type { SandboxOutcome } from "@sous/sandbox";
import type { TerminalRecord } from "@sous/store";
import { admitLine, type LogBudget } from "./log-budget.ts";
import type { LogEvent } from "./live-activations.ts";

const NOTHING: readonly string[] = Object.freeze([]);
// Shared and never changed, but not frozen: V8 prints what is frozen, or has no prototype, at a third of the speed.
const NO_ATTEMPTS: ActivationAttempt[] = [];
/** Less than this outside the heap is what every isolate has. */
const EXTERNAL_BYTES_TOLD = 1024 * 1024;

/** What the host calls of an activation have used so far. */
export interface OutwardUse {
  readonly egressBytes: number;
  readonly openFetchesPeak: number;
}

/** An activation while this process works on it: everything its record will say, and its log so far. */
export class LiveActivation implements LogBudget {
  readonly invocation: Invocation;
  /** Its place in the registry. */
  slot = -1;
  /** Which attempt it is; one that is put back may be ended as the next. */
  attempt: number;
  version: number;
  readonly tier: string;
  status: ActivationRecord["status"] = "queued";
  startMs: number | null = null;
  sandboxId = "";
  /** The member of the cluster that runs it, where there is one. */
  invoker: string | undefined;
  fetchMs = 0;
  hostCalls = 0;
  /** What its calls out have used; absent while it has made none. */
  outward: OutwardUse | undefined;
  logBytes = 0;
  logBytesMax: number = LIMITS.logBytesMax;
  logsTruncated = false;
  /** Failed attempts before this one. */
  earlier: ActivationAttempt[] = NO_ATTEMPTS;
  /** Lines of this attempt; those of earlier ones are in the store, `logBase` in number. */
  logs: readonly string[] = NOTHING;
  logBase = 0;
  /** Somebody asked for an early end; seen before each start, as a sandbox that does not have it yet cannot. */
  cancelRequested = false;
  /** Its terminal record, from its end on: nothing can change it any more. */
  ended: TerminalRecord | undefined;
  /** Whether others may see the end: where the record comes first, only once that is on disk. */
  closed = false;
  #lines: string[] | undefined;
  #followers: Set<(event: LogEvent) => void> | undefined;

  constructor(invocation: Invocation, version: number, tier: string) {
    this.invocation = invocation;
    this.attempt = invocation.attempt;
    this.version = version;
    this.tier = tier;
  }

  get id(): string {
    return this.invocation.activation_id;
  }

  /** Appends one line of the log, already clean; past the budget it is marked as cut and the rest is dropped. */
  log(line: string): void {
    const admitted = admitLine(this, line);
    if (admitted !== undefined) this.#append(admitted);
  }

  follow(from: number, listener: (event: LogEvent) => void): () => void {
    for (let at = Math.max(0, from - this.logBase); at < this.logs.length; at++) {
      listener({ type: "chunk", index: this.logBase + at, text: this.logs[at] ?? "" });
    }
    const followers = (this.#followers ??= new Set());
    followers.add(listener);
    return () => followers.delete(listener);
  }

  /** It is queued as a later attempt, as the record says: what ends it now ends that one. */
  continueAs(record: ActivationRecord): void {
    this.attempt = record.attempt;
    this.earlier = record.attempts;
    this.startMs = null;
  }

  /** Makes its end known, and tells the followers. */
  close(record: TerminalRecord): void {
    this.ended = record;
    this.closed = true;
    this.leave(record);
  }

  /** Lets the followers go: it has ended, or goes on as another attempt, as the record says. */
  leave(record: ActivationRecord): void {
    this.status = record.status;
    for (const listener of this.#followers ?? []) listener({ type: "end", record });
    this.#followers = undefined;
  }

  /** The record as it stands while the activation is queued or running. */
  record(): ActivationRecord {
    const { invocation } = this;
    const record: ActivationRecord = {
      activation_id: invocation.activation_id,
      request_id: invocation.request_id,
      tenant: invocation.tenant,
      namespace: invocation.namespace,
      function: invocation.ref.function,
      ref: invocation.ref,
      resolved_version: this.version,
      trigger: invocation.trigger,
      principal: plainPrincipal(invocation.principal),
      mode: invocation.mode,
      status: this.status,
      attempt: this.attempt,
      attempts: this.earlier,
      enqueued_at_ms: invocation.enqueued_at_ms,
      start_ms: this.startMs,
      end_ms: null,
      duration_ms: null,
      deadline_ms: invocation.deadline_ms,
      result_truncated: false,
      cold: false,
      cold_reason: "none",
      tier: this.tier,
      sandbox_id: this.sandboxId,
      timings: {
        queue_ms: 0,
        placement_ms: 0,
        boot_ms: 0,
        fetch_ms: 0,
        init_ms: 0,
        handler_ms: 0,
        host_calls_ms: 0,
      },
      cpu_ms: 0,
      memory_peak_bytes: 0,
      log_bytes: this.logBytes,
      logs_truncated: this.logsTruncated,
      host_calls: this.hostCalls,
      egress_bytes: this.outward?.egressBytes ?? 0,
    };
    if (this.invoker !== undefined) record.invoker = this.invoker;
    if (invocation.traceparent !== undefined) record.traceparent = invocation.traceparent;
    if (invocation.depth !== undefined) record.depth = invocation.depth;
    if (invocation.fingerprint !== undefined) record.fingerprint = invocation.fingerprint;
    if (invocation.due_at_ms !== undefined) record.due_at_ms = invocation.due_at_ms;
    return record;
  }

  /** The one terminal record. A result over the bound of records is cut and marked. */
  terminal(outcome: SandboxOutcome, endMs: number): TerminalRecord {
    const { timings } = outcome;
    const begunMs = this.startMs ?? endMs;
    const record = this.record() as TerminalRecord;
    record.status = outcome.status;
    record.end_ms = endMs;
    record.duration_ms = endMs - begunMs;
    record.cold = outcome.cold;
    record.cold_reason = outcome.coldReason;
    const spent = record.timings;
    const { due_at_ms, enqueued_at_ms } = this.invocation;
    spent.queue_ms = Math.max(0, begunMs - (due_at_ms ?? enqueued_at_ms));
    spent.placement_ms = thousandths(timings.placementMs);
    spent.boot_ms = thousandths(timings.bootMs);
    spent.fetch_ms = this.fetchMs;
    spent.init_ms = thousandths(timings.initMs);
    spent.handler_ms = thousandths(timings.handlerMs);
    spent.host_calls_ms = thousandths(timings.hostCallsMs);
    record.cpu_ms = thousandths(outcome.cpuMs);
    record.memory_peak_bytes = outcome.memoryPeakBytes;
    if (outcome.error !== undefined) record.error = outcome.error;
    const fetches = this.outward?.openFetchesPeak ?? 0;
    const external = outcome.externalMemoryBytes;
    if (fetches > 0 || outcome.timersPeak > 0 || external >= EXTERNAL_BYTES_TOLD) {
      record.usage = {
        timers: outcome.timersPeak,
        open_fetches: fetches,
        external_memory_bytes: external,
      };
    }
    const { result } = outcome;
    if (result === undefined) return record;
    record.result_truncated = result.body.length > LIMITS.resultRecordBytesMax;
    record.result = record.result_truncated
      ? { ...result, body: result.body.slice(0, LIMITS.resultRecordBytesMax) }
      : result;
    return record;
  }

  #append(line: string): void {
    // Most activations write nothing: the list is made for the first line.
    const logs = (this.#lines ??= []);
    this.logs = logs;
    const index = this.logBase + logs.push(line) - 1;
    for (const listener of this.#followers ?? []) listener({ type: "chunk", index, text: line });
  }
}

/** Microseconds are as fine as the clock is honest; more digits only make records longer. */
const thousandths = (ms: number): number => Math.round(ms * 1000) / 1000;

const plainPrincipals = new WeakMap<Principal, Principal>();

/** Authenticators share frozen principals; records print a copy that is not, see above. */
function plainPrincipal(principal: Principal): Principal {
  let plain = plainPrincipals.get(principal);
  if (plain === undefined) {
    plain = { sub: principal.sub, roles: [...principal.roles] };
    plainPrincipals.set(principal, plain);
  }
  return plain;
}

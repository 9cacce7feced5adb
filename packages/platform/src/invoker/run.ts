import {
  type ActivationRecord,
  PlatformError,
  type Invocation,
  type VersionRecord,
  budgetsOf,
  isTerminal,
} from "@sous/contract";
import type { Delivery } from "@sous/codeq";
import type { HostAnswer, HostCall, SandboxOutcome, SandboxProgram } from "@sous/sandbox";
import type { TerminalRecord } from "@sous/store";
import { type InvocationReply, replyOf } from "../activations/invocation-reply.ts";
import { LiveActivation } from "../activations/live-activation.ts";
import type { PreparedProgram } from "../bundle/prepare-program.ts";
import type { PowerScope, SecretGuard } from "../powers/host-powers.ts";
import { sanitiseLogLine } from "../powers/sanitise-log-line.ts";
import { attemptsBefore } from "./attempts-before.ts";
import type { FleetClient } from "../fleet/fleet.ts";
import type { InvokerOptions } from "./invoker.ts";
import { powerScope, secretScope } from "./power-scope.ts";
import { programOf } from "./program-of.ts";
import { queuedAgain, writeQueuedAgain } from "./queued-again.ts";
import { taskOf } from "./task-of.ts";
import { writeRunning } from "./write-running.ts";
import { versionOf } from "./version-of.ts";
import { waitForEarlier } from "./wait-for-earlier.ts";
import type { RecordWriter } from "./record-writer.ts";
import { LEASE_LOST, unrun } from "./unrun.ts";
import { attemptDeadline, deadLetterReason, delayAfter, hasFurtherAttempt } from "./further-attempts.ts";
import { putOffMs } from "./put-off.ts";
import { endOfLastAttempt } from "./last-attempt.ts";

const RESTARTS_MAX = 2;
/** How soon queued work asks again for a sandbox, in milliseconds. */
const ROOM_WAIT_MS = 1000;
/** More lines than the log of an activation can hold. */
const LINES_MAX = 10_000_000;

export interface RunOptions extends InvokerOptions {
  records: RecordWriter;
  /**
   * When this invoker began: older work may have run before, in a process that is gone. A queue apart counts that as an
   * attempt before it gives work to anybody; one of this process does not wait for the count to be written.
   */
  startedMs: number;
  /** Whether the process is ending: what that cuts off has not failed. */
  stopping: () => boolean;
  /** Extends the lease of a delivery that gave back its room. @returns what ends that */
  keepLease: (delivery: Delivery<Invocation>) => () => void;
  /** Puts a delivery that gave back its room back as it was, after so many milliseconds or when the process ends. */
  giveBack: (delivery: Delivery<Invocation>, afterMs: number) => void;
}

/**
 * One delivery on its way: claimed → resolved → fetched → running → ended → written → acknowledged.
 *
 * Synchronous work is answered first and recorded in the next group commit; asynchronous and strict work is
 * recorded first, and told as it is recorded. Whatever happens, the delivery ends and its place is given back exactly once.
 */
export class Run implements FleetClient {
  readonly #options: RunOptions;
  readonly #delivery: Delivery<Invocation>;
  #invocation: Invocation;
  readonly #release: () => void;
  #live: LiveActivation | undefined;
  #version: VersionRecord | undefined;
  #program: SandboxProgram | undefined;
  #scope: PowerScope | undefined;
  #restarts = 0;
  /** The store had a record of it when it was delivered again. */
  #stored = false;
  /** Of a version with secrets: everything the function says passes it. */
  #guard: SecretGuard | undefined;

  constructor(options: RunOptions, delivery: Delivery<Invocation>, release: () => void) {
    this.#options = options;
    this.#delivery = delivery;
    this.#release = release;
    const { body, attempt } = delivery.message;
    this.#invocation = attempt === body.attempt ? body : { ...body, attempt };
  }

  /** Starts it. Never throws: a failure of the platform ends the activation or hands the work back. */
  begin(): void {
    try {
      const { codeq, live, startedMs } = this.#options;
      const { tenant, activation_id, new_id, attempt, enqueued_at_ms } = this.#invocation;
      if (!new_id || attempt > 1 || (!codeq.isShared && enqueued_at_ms < startedMs)) {
        const known = live.find(tenant, activation_id);
        if (known !== undefined) this.#join(known);
        else this.#lookUp();
        return;
      }
      const version = versionOf(this.#options.catalog, this.#invocation);
      if (version instanceof Promise)
        version.then(
          (found) => this.#fetch(found),
          (error) => this.#refuse(error),
        );
      else this.#fetch(version);
    } catch (error) {
      this.#refuse(error);
    }
  }

  onHostCall(call: HostCall, answer: (answer: HostAnswer) => void): void {
    const live = this.#live as LiveActivation;
    live.hostCalls++;
    const scope = (this.#scope ??= powerScope(this.#invocation, this.#version as VersionRecord));
    live.outward = scope;
    void this.#options.powers.call(scope, call).then(answer);
  }

  onLog(level: string, text: string): void {
    const clean = this.#guard === undefined ? text : this.#guard.line(text);
    (this.#live as LiveActivation).log(sanitiseLogLine(`[${level}] ${clean}`));
  }

  onOutcome(said: SandboxOutcome): void {
    const outcome = this.#guard === undefined ? said : this.#guard.outcome(said);
    const crashed = outcome.error?.type === "SandboxCrashed";
    if (crashed && this.#options.stopping()) {
      this.#stop(outcome);
      return;
    }
    if (outcome.error?.type === "Expired" && this.#hasNoRoom(outcome)) return;
    // Nothing of it has run: it is not delivered yet, and another sandbox can take it.
    if (crashed && !outcome.started && this.#isInTime() && this.#restarts++ < RESTARTS_MAX) this.#launch();
    else this.#end(outcome);
  }

  #isInTime(): boolean {
    return this.#options.now() < this.#invocation.deadline_ms;
  }

  /**
   * The process ends under it. Asynchronous work stays queued as it was, and runs when there is a process again. A
   * synchronous call whose code has not begun goes back too, where another process may take it.
   */
  #stop(outcome: SandboxOutcome): void {
    const { isShared } = this.#options.codeq;
    if (this.#invocation.mode !== "async" && (outcome.started || !isShared)) {
      this.#end(outcome);
      return;
    }
    this.#giveBack();
  }

  /** It has not begun here, and stays queued as it was, or after a while where the reason may be over by then. */
  #giveBack(afterMs = 0): void {
    const live = this.#live;
    if (live?.cancelRequested === true && this.#invocation.mode === "async") {
      this.#end(unrun({ type: "Cancelled", message: "cancelled before it started" }));
      return;
    }
    if (live !== undefined) this.#leave(live, { ...live.record(), status: "queued" });
    this.#release();
    this.#options.giveBack(this.#delivery, afterMs);
  }

  /**
   * No sandbox had room for it, so it has not been tried. Asynchronous work stays queued as it was; with a key the
   * caller is told and nothing is kept, because the same request may run later.
   * @returns whether that is all there is to do
   */
  #hasNoRoom(outcome: SandboxOutcome): boolean {
    const { mode, fingerprint } = this.#invocation;
    const live = this.#live as LiveActivation;
    if (mode === "async") {
      this.#giveBack(ROOM_WAIT_MS);
      return true;
    }
    if (fingerprint === undefined) return false;
    const record = live.terminal(outcome, this.#options.now());
    this.#reply(replyOf(record, false));
    this.#leave(live, record);
    this.#release();
    this.#delivery.ack().catch(() => {});
    return true;
  }

  /** The same activation is delivered while it runs here: one run, and the second delivery goes away. */
  #join(known: LiveActivation): void {
    if (this.#invocation.mode === "async" && this.#invocation.attempt > known.invocation.attempt) {
      waitForEarlier(known, (record) => {
        this.#release();
        const isOver = isTerminal(record.status);
        (isOver ? this.#remove(record as TerminalRecord) : this.#finish(record)).catch(() => {});
      });
      return;
    }
    if (this.#invocation.reply_to !== undefined) {
      waitForEarlier(known, (record) => {
        if (isTerminal(record.status)) this.#reply(replyOf(record as TerminalRecord, true));
      });
    }
    this.#release();
    this.#delivery.ack().catch(() => {});
  }

  /** Goes on as what is recorded of it says. */
  #lookUp(): void {
    const { tenant, activation_id } = this.#invocation;
    this.#options.store.activations.get(tenant, activation_id).then(
      (record) => this.#resume(record),
      (error) => this.#handBack(error),
    );
  }

  /** Repeats the answer of work that has ended, and runs any other, unless a later attempt of it has begun elsewhere. */
  #resume(record: ActivationRecord | undefined): void {
    if (record !== undefined && isTerminal(record.status)) {
      if (this.#live !== undefined) this.#leave(this.#live, record);
      this.#reply(replyOf(record as TerminalRecord, true));
      this.#release();
      this.#remove(record as TerminalRecord).catch((error: unknown) => this.#notWritten(error));
      return;
    }
    if (this.#live !== undefined) {
      if (record !== undefined) this.#live.continueAs(record);
      this.#giveBack(ROOM_WAIT_MS);
      return;
    }
    // The store may know of an attempt that the queue has lost.
    if (record?.status === "queued" && record.attempt > this.#invocation.attempt)
      this.#invocation = { ...this.#invocation, attempt: record.attempt };
    const { live, store, now } = this.#options;
    const { tenant, activation_id, ref } = this.#invocation;
    const known = live.find(tenant, activation_id);
    if (known !== undefined) {
      this.#join(known);
      return;
    }
    if (this.#invocation.mode === "sync" && this.#invocation.attempt > 1) {
      // It runs once: whoever had begun it is gone, and how far it came nobody knows.
      this.#register(ref.version ?? 0);
      this.#end(unrun(LEASE_LOST));
      return;
    }
    this.#stored = record !== undefined;
    // Registered before the version is known, so that a third delivery finds it here.
    const activation = this.#register(ref.version ?? 0);
    if (record !== undefined) activation.earlier = attemptsBefore(record, this.#invocation.attempt, now());
    // Numbers of lines go on where the attempt before left off.
    const lines = record === undefined ? [] : store.logs.read(tenant, activation_id, 0, LINES_MAX);
    Promise.all([lines, versionOf(this.#options.catalog, this.#invocation)]).then(
      ([{ length }, version]) => {
        activation.logBase = length;
        this.#fetch(version);
      },
      (error) => this.#refuse(error),
    );
  }

  #fetch(version: VersionRecord): void {
    this.#version = version;
    const { bundles, now } = this.#options;
    const begunMs = now();
    const live = this.#register(version.version);
    live.status = "running";
    live.startMs = begunMs;
    live.logBytesMax = budgetsOf(version.config).log_bytes;
    const { mode, attempt } = this.#invocation;
    if (mode === "async" && attempt > version.config.retry.max_attempts) {
      const message = "the platform ended while it ran, as often as it may be tried";
      this.#end(unrun({ type: "SandboxCrashed", message }));
      return;
    }
    const program = bundles.get(version);
    if (!(program instanceof Promise)) {
      this.#prepare(program, begunMs);
      return;
    }
    program.then(
      (found) => {
        const fetchedMs = now();
        live.fetchMs = fetchedMs - begunMs;
        this.#prepare(found, fetchedMs);
      },
      (error) => this.#refuse(error),
    );
  }

  #register(version: number): LiveActivation {
    if (this.#live === undefined) {
      this.#live = new LiveActivation(this.#invocation, version, this.#options.fleet.tier);
      this.#live.invoker = this.#options.member;
      this.#options.live.add(this.#live);
    }
    this.#live.version = version;
    return this.#live;
  }

  #prepare(program: PreparedProgram, nowMs: number): void {
    if (this.#isOthers(nowMs)) return;
    const { codeq, now } = this.#options;
    const { mode, attempt } = this.#invocation;
    const written = mode === "async" ? this.#writeRunning(nowMs) : undefined;
    if (written === undefined || !codeq.isShared || attempt === 1) {
      written?.catch((error: unknown) => this.#notWritten(error));
      this.#start(program, nowMs);
      return;
    }
    // The attempt before may be writing its end, wherever it was lost: either that stands, or this one begins.
    written.then(
      (stands) => (stands ? this.#start(program, now()) : this.#lookUp()),
      (error) => this.#handBack(error),
    );
  }

  #writeRunning(nowMs: number): Promise<boolean> {
    this.#invocation.deadline_ms = attemptDeadline(this.#invocation, this.#version as VersionRecord, nowMs);
    return writeRunning(this.#options, (this.#live as LiveActivation).record(), this.#stored);
  }

  /** In a process that stood still, or heard of it late: others may have it by now. */
  #isOthers(nowMs: number): boolean {
    if (nowMs < this.#delivery.leaseUntilMs) return false;
    this.#giveBack();
    return true;
  }

  #start(program: PreparedProgram, nowMs: number): void {
    if (this.#isOthers(nowMs)) return;
    if (!program.ok) {
      this.#end(unrun(program.error));
      return;
    }
    const { meter } = this.#options;
    const version = this.#version as VersionRecord;
    const invocation = this.#invocation;
    // Counted from now, however long the store took.
    if (invocation.mode === "async") invocation.deadline_ms = attemptDeadline(invocation, version, nowMs);
    if (nowMs >= invocation.deadline_ms) {
      const message = "the deadline passed while the call waited in the queue";
      this.#end(unrun({ type: "Timeout", message }));
      return;
    }
    this.#program = programOf(invocation, version, program);
    if (version.config.secrets.length > 0) {
      this.#guard = this.#options.powers.guardOf(secretScope(invocation, version));
    }
    meter.started(invocation, version.version);
    this.#launch();
  }

  #launch(): void {
    const invocation = this.#invocation;
    if ((this.#live as LiveActivation).cancelRequested) {
      this.#end(unrun({ type: "Cancelled", message: "cancelled before it started" }));
      return;
    }
    const task = taskOf(invocation, this.#version as VersionRecord, this.#program as SandboxProgram);
    this.#options.fleet.run(invocation.tenant, task, this);
  }

  onPlaced(sandboxId: string): void {
    (this.#live as LiveActivation).sandboxId = sandboxId;
  }

  /** The request itself cannot be served: it names nothing that exists, or the platform failed on the way. */
  #refuse(error: unknown): void {
    const gone = error instanceof PlatformError && error.code === "CS_NOT_FOUND";
    if (!gone && this.#invocation.mode === "async") {
      this.#handBack(error);
      return;
    }
    const type = gone ? "BundleError" : "SandboxCrashed";
    this.#register(this.#invocation.ref.version ?? 0);
    this.#end(unrun({ type, message: error instanceof Error ? error.message : String(error) }));
  }

  /** The platform failed, and the function had no part in it: that is no attempt. */
  #handBack(error: unknown): void {
    this.#notWritten(error);
    this.#giveBack(putOffMs(this.#invocation, this.#options.now()));
  }

  #end(said: SandboxOutcome): void {
    const { now, meter, records, spending } = this.#options;
    const live = this.#live as LiveActivation;
    const invocation = this.#invocation;
    const outcome = invocation.source_attempt === "last" ? endOfLastAttempt(said, invocation) : said;
    const endMs = now();
    spending?.spend(invocation.tenant, invocation.principal, outcome.cpuMs, this.#scope?.egressBytes ?? 0);
    if (this.#retries(outcome, endMs)) return;
    const record = live.terminal(outcome, endMs);
    live.ended = record;
    const coldRuntime = record.cold ? this.#version?.runtime : undefined;
    meter.ended(invocation, live.version, record.status, record.duration_ms ?? 0, coldRuntime);
    const first = invocation.mode === "async" || invocation.strict;
    const reply: InvocationReply = { ...replyOf(record, false), result: outcome.result };
    if (!first) {
      this.#reply(reply);
      live.close(record);
    }
    const isContested = endMs >= this.#delivery.leaseUntilMs;
    if (first) this.#recordFirst(live, record, reply, isContested);
    else records.finish({ activation: live, record, isContested, remove: () => this.#remove(record) });
    this.#release();
  }

  /** Only the end that stands is told: another process may have written one while this one stood still. */
  #recordFirst(
    live: LiveActivation,
    record: TerminalRecord,
    reply: InvocationReply,
    isContested: boolean,
  ): void {
    const { codeq, records, keepLease } = this.#options;
    const remove = (recorded: ActivationRecord): Promise<void> =>
      recorded === record ? this.#remove(record) : this.#finish(recorded);
    // A queue apart has the message until its end is on disk: nobody else is to take it meanwhile.
    const letGo = codeq.isShared ? keepLease(this.#delivery) : undefined;
    records.finish({
      activation: live,
      record,
      isContested,
      remove: letGo === undefined ? remove : (recorded) => remove(recorded).finally(letGo),
      written: (recorded, unrecorded) => {
        if (!isTerminal(recorded.status)) return;
        const told = recorded === record ? reply : replyOf(recorded as TerminalRecord, true);
        this.#reply(unrecorded === undefined ? told : { ...told, unrecorded });
      },
    });
  }

  /** Takes the message out of the queue; whoever is to be told of the end is told first. */
  #remove(record: TerminalRecord): Promise<void> {
    const invocation = this.#invocation;
    if (invocation.destinations === undefined) return this.#finish(record);
    return this.#options.destinations.send(invocation, record, () => this.#finish(record));
  }

  #finish(record: ActivationRecord): Promise<void> {
    // A later attempt is at work, and ends the message.
    if (!isTerminal(record.status)) return this.#delivery.release();
    const reason = deadLetterReason(this.#invocation, record);
    return reason === undefined ? this.#delivery.ack() : this.#delivery.deadLetter(reason);
  }

  /** @returns whether a failed asynchronous attempt is put back for another */
  #retries(outcome: SandboxOutcome, endMs: number): boolean {
    const live = this.#live as LiveActivation;
    const { error } = outcome;
    const retry = this.#version?.config.retry;
    if (error === undefined || retry === undefined || live.cancelRequested) return false;
    const delayMs = delayAfter(live.attempt, retry, this.#options.random());
    if (!hasFurtherAttempt(this.#invocation, error.type, retry, endMs + delayMs)) return false;
    void this.#putBack(live, queuedAgain(live, outcome, endMs), delayMs);
    return true;
  }

  /** Writes what is known so far before the work can be taken again: the next attempt reads it. */
  async #putBack(live: LiveActivation, record: ActivationRecord, delayMs: number): Promise<void> {
    await writeQueuedAgain(this.#options, live, record);
    if (live.cancelRequested) {
      live.continueAs(record);
      this.#end(unrun({ type: "Cancelled", message: "cancelled between two attempts" }));
      return;
    }
    this.#leave(live, record);
    this.#options.meter.retried(this.#invocation);
    this.#release();
    this.#delivery.nack(delayMs).catch((error: unknown) => this.#notWritten(error));
  }

  #notWritten(error: unknown): void {
    this.#options.meter.writeRefused(this.#invocation.activation_id, error);
  }

  #leave(live: LiveActivation, record: ActivationRecord): void {
    this.#options.live.remove(live);
    live.leave(record);
  }

  /** Answers are told apart by activation: request ids are the callers' to choose, and may be the same. */
  #reply(reply: InvocationReply): void {
    const { reply_to, activation_id } = this.#invocation;
    if (reply_to !== undefined) this.#options.codeq.reply(reply_to, activation_id, reply);
  }
}

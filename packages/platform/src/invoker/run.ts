import {
  PlatformError,
  type FunctionError,
  type Invocation,
  type VersionRecord,
  isRetryable,
  isTerminal,
} from "@sous/contract";
import type { Delivery } from "@sous/codeq";
import type {
  HostAnswer,
  HostCall,
  SandboxClient,
  SandboxOutcome,
  SandboxProgram,
  SandboxTask,
} from "@sous/sandbox";
import type { TerminalRecord } from "@sous/store";
import { type InvocationReply, replyOf } from "../activations/invocation-reply.ts";
import { LiveActivation } from "../activations/live-activation.ts";
import type { PreparedProgram } from "../bundle/prepare-program.ts";
import { sanitiseLogLine } from "../powers/sanitise-log-line.ts";
import { contextJson } from "./context-json.ts";
import type { InvokerOptions } from "./invoker.ts";
import { programOf } from "./program-of.ts";

const RESTARTS_MAX = 2;

/**
 * One delivery on its way: claimed → resolved → fetched → running → ended → written → acknowledged.
 *
 * Synchronous work is answered first and recorded in the next group commit; asynchronous and strict work is
 * recorded first. Whatever happens, the delivery ends and the semaphore is given back exactly once.
 */
export class Run implements SandboxClient {
  readonly #options: InvokerOptions;
  readonly #delivery: Delivery<Invocation>;
  readonly #invocation: Invocation;
  readonly #release: () => void;
  #live: LiveActivation | undefined;
  #version: VersionRecord | undefined;
  #program: SandboxProgram | undefined;
  #restarts = 0;

  constructor(options: InvokerOptions, delivery: Delivery<Invocation>, release: () => void) {
    this.#options = options;
    this.#delivery = delivery;
    this.#release = release;
    const { body, attempt } = delivery.message;
    this.#invocation = attempt === body.attempt ? body : { ...body, attempt };
  }

  /** Starts it. Never throws: a failure of the platform ends the activation or hands the work back. */
  begin(): void {
    try {
      const { catalog, live, store } = this.#options;
      const { tenant, namespace, ref, activation_id, new_id } = this.#invocation;
      if (!new_id || this.#invocation.attempt > 1) {
        const known = live.find(tenant, activation_id);
        if (known !== undefined) this.#join(known);
        else
          store.activations.get(tenant, activation_id).then(
            (record) => this.#resume(record),
            (error) => this.#handBack(error),
          );
        return;
      }
      const target = ref.version === undefined ? undefined : { version: ref.version };
      const version = catalog.resolve({ tenant, namespace, name: ref.function }, target);
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
    const { tenant, namespace, ref, activation_id, trigger, deadline_ms } = this.#invocation;
    const scope = {
      tenant,
      namespace,
      function: ref.function,
      version: live.version,
      activationId: activation_id,
      trigger: trigger.type,
      capabilities: (this.#version as VersionRecord).config.capabilities,
      deadlineMs: deadline_ms,
      egressBytes: 0,
    };
    void this.#options.powers.call(scope, call).then((result) => {
      live.egressBytes += scope.egressBytes;
      answer(result);
    });
  }

  onLog(level: string, text: string): void {
    (this.#live as LiveActivation).log(sanitiseLogLine(`[${level}] ${text}`));
  }

  onOutcome(outcome: SandboxOutcome): void {
    const crashed = outcome.error?.type === "SandboxCrashed";
    const inTime = this.#options.now() < this.#invocation.deadline_ms;
    // Nothing of it has run: it is not delivered yet, and another sandbox can take it.
    if (crashed && !outcome.started && inTime && this.#restarts++ < RESTARTS_MAX) this.#launch();
    else this.#end(outcome);
  }

  /** The same activation is delivered while it runs here: one run, and the second delivery goes away. */
  #join(known: LiveActivation): void {
    const { request_id, reply_to } = this.#invocation;
    const done = (): void => void this.#delivery.ack().catch(() => {});
    if (known.ended !== undefined) this.#reply(replyOf(known.ended, true));
    else if (reply_to !== undefined && request_id !== known.invocation.request_id) {
      known.follow(known.logs.length, (event) => {
        if (event.type === "end") this.#reply(replyOf(event.record as TerminalRecord, true));
      });
    }
    this.#release();
    done();
  }

  /** Goes on with work that may have a record: repeats the answer of an ended one, runs any other. */
  #resume(record: Awaited<ReturnType<InvokerOptions["store"]["activations"]["get"]>>): void {
    if (record !== undefined && isTerminal(record.status)) {
      this.#reply(replyOf(record as TerminalRecord, true));
      this.#release();
      this.#delivery
        .ack()
        .catch((error: unknown) => this.#options.meter.recordLost(record.activation_id, error));
      return;
    }
    const { live } = this.#options;
    const { tenant, activation_id, namespace, ref } = this.#invocation;
    const known = live.find(tenant, activation_id);
    if (known !== undefined) {
      this.#join(known);
      return;
    }
    const target = ref.version === undefined ? undefined : { version: ref.version };
    // Registered before the version is known, so that a third delivery finds it here.
    this.#live = new LiveActivation(this.#invocation, ref.version ?? 0, this.#options.fleet.tier);
    this.#live.earlier = record?.attempts ?? [];
    live.add(this.#live);
    Promise.resolve()
      .then(() => this.#options.catalog.resolve({ tenant, namespace, name: ref.function }, target))
      .then(
        (version) => this.#fetch(version),
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
    const program = bundles.get(version);
    if (!(program instanceof Promise)) {
      this.#prepare(program);
      return;
    }
    program.then(
      (found) => {
        live.fetchMs = now() - begunMs;
        this.#prepare(found);
      },
      (error) => this.#refuse(error),
    );
  }

  #register(version: number): LiveActivation {
    const { live, fleet } = this.#options;
    const earlier = this.#live?.earlier ?? [];
    const activation = new LiveActivation(this.#invocation, version, fleet.tier);
    activation.earlier = earlier;
    this.#live = activation;
    live.add(activation);
    return activation;
  }

  #prepare(program: PreparedProgram): void {
    if (!program.ok) {
      this.#end(unrun(program.error));
      return;
    }
    const { now, store, meter } = this.#options;
    const version = this.#version as VersionRecord;
    const invocation = this.#invocation;
    if (invocation.mode === "async") {
      invocation.deadline_ms = now() + version.config.timeout_ms;
      const record = (this.#live as LiveActivation).record();
      store.activations
        .update(record)
        .catch((error: unknown) => meter.recordLost(invocation.activation_id, error));
    }
    if (now() >= invocation.deadline_ms) {
      this.#end(
        unrun({ type: "Timeout", message: "the deadline passed while the call waited in the queue" }),
      );
      return;
    }
    this.#program = programOf(invocation, version, program);
    meter.started(invocation, version.version);
    this.#launch();
  }

  #launch(): void {
    const { fleet } = this.#options;
    const invocation = this.#invocation;
    const live = this.#live as LiveActivation;
    const task: SandboxTask = {
      activationId: invocation.activation_id,
      program: this.#program as SandboxProgram,
      contextJson: contextJson(invocation, this.#version as VersionRecord),
      eventJson: invocation.event_json,
      deadlineMs: invocation.deadline_ms,
    };
    fleet.run(invocation.tenant, task, this, (sandboxId) => (live.sandboxId = sandboxId));
  }

  /** The request itself cannot be served: it names nothing that exists, or the platform failed on the way. */
  #refuse(error: unknown): void {
    const gone = error instanceof PlatformError && error.code === "CS_NOT_FOUND";
    if (!gone && this.#invocation.mode === "async") {
      this.#handBack(error);
      return;
    }
    this.#live ??= this.#register(this.#invocation.ref.version ?? 0);
    const type = gone ? "BundleError" : "SandboxCrashed";
    this.#end(unrun({ type, message: error instanceof Error ? error.message : String(error) }));
  }

  /** The platform failed: the work goes back to the queue. */
  #handBack(error: unknown): void {
    this.#options.meter.recordLost(this.#invocation.activation_id, error);
    if (this.#live !== undefined) this.#options.live.remove(this.#live);
    this.#release();
    this.#delivery.nack(1000).catch(() => {});
  }

  #end(outcome: SandboxOutcome): void {
    const { now, meter, store, live: registry } = this.#options;
    const live = this.#live as LiveActivation;
    const invocation = this.#invocation;
    const endMs = now();
    if (this.#retries(outcome, endMs)) return;
    const record = live.terminal(outcome, endMs);
    live.close(record);
    meter.ended(invocation, live.version, record.status, record.duration_ms ?? 0, record.cold);
    const first = invocation.mode === "async" || invocation.strict;
    const reply: InvocationReply = { ...replyOf(record, false), result: outcome.result };
    if (!first) this.#reply(reply);
    const writes: Promise<unknown>[] = [];
    if (live.logs.length > 0)
      writes.push(store.logs.append(invocation.tenant, invocation.activation_id, live.logs));
    writes.push(store.activations.finish(record));
    // Issued in the same tick: record and removal from the queue are one transaction.
    const dead = invocation.mode === "async" && record.status !== "success" && record.status !== "cancelled";
    writes.push(dead ? this.#delivery.deadLetter(deadReason(record)) : this.#delivery.ack());
    this.#release();
    Promise.all(writes).then(
      () => {
        if (first) this.#reply(reply);
        registry.remove(live);
      },
      (error: unknown) => {
        meter.recordLost(invocation.activation_id, error);
        if (first) this.#reply(reply);
        registry.remove(live);
      },
    );
  }

  /** @returns whether a failed asynchronous attempt was put back for another */
  #retries(outcome: SandboxOutcome, endMs: number): boolean {
    const { store, meter, random, live: registry } = this.#options;
    const invocation = this.#invocation;
    const { error } = outcome;
    if (invocation.mode !== "async" || error === undefined || !isRetryable(error.type)) return false;
    const retry = this.#version?.config.retry;
    if (
      retry === undefined ||
      invocation.attempt >= retry.max_attempts ||
      endMs >= invocation.expires_at_ms
    ) {
      return false;
    }
    const live = this.#live as LiveActivation;
    const ceiling = Math.min(retry.backoff_max_ms, retry.backoff_ms * 2 ** (invocation.attempt - 1));
    const record = live.record();
    const start = live.startMs ?? endMs;
    const attempt = {
      attempt: invocation.attempt,
      start_ms: start,
      end_ms: endMs,
      status: outcome.status,
      error,
    };
    record.attempts = [...live.earlier, attempt];
    record.status = "queued";
    record.attempt = invocation.attempt + 1;
    store.activations
      .update(record)
      .catch((cause: unknown) => meter.recordLost(invocation.activation_id, cause));
    if (live.logs.length > 0) {
      store.logs.append(invocation.tenant, invocation.activation_id, live.logs).catch(() => {});
    }
    registry.remove(live);
    meter.retried(invocation);
    this.#release();
    this.#delivery
      .nack(Math.floor(random() * ceiling))
      .catch((cause: unknown) => meter.recordLost(invocation.activation_id, cause));
    return true;
  }

  #reply(reply: InvocationReply): void {
    const { reply_to, request_id } = this.#invocation;
    if (reply_to !== undefined) this.#options.codeq.reply(reply_to, request_id, reply);
  }
}

const deadReason = (record: TerminalRecord): string =>
  `attempt ${record.attempt}: ${record.error?.type ?? record.status}: ${record.error?.message ?? ""}`.slice(
    0,
    1000,
  );

function unrun(error: FunctionError): SandboxOutcome {
  return {
    status: error.type === "Timeout" ? "timeout" : "error",
    error,
    cold: false,
    coldReason: "none",
    timings: { placementMs: 0, bootMs: 0, initMs: 0, handlerMs: 0, hostCallsMs: 0 },
    cpuMs: 0,
    memoryPeakBytes: 0,
    started: false,
  };
}

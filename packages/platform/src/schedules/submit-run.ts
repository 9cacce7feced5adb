import {
  type Invocation,
  LATEST_ALIAS,
  type Limits,
  newActivationId,
  newRequestId,
  PlatformError,
  type Principal,
  type RefTarget,
  type ScheduleRecord,
  tickActivationId,
  TOPICS,
  type VersionRecord,
} from "@sous/contract";
import type { Store, TerminalRecord } from "@sous/store";
import { createQueued } from "../activations/create-queued.ts";
import { destinationsOf } from "../activations/destination-task.ts";
import type { InvocationCodeQ } from "../activations/invocation-queue.ts";
import { LiveActivation } from "../activations/live-activation.ts";
import { requireTriggerRole } from "../auth/authorize.ts";
import type { Catalog } from "../catalog/catalog.ts";

/** Whom a tick is run by: the version's role list has to name one of these roles. */
export const SCHEDULER_PRINCIPAL: Principal = {
  sub: "sp:cs-scheduler",
  roles: ["role:worker", "sp:cs-scheduler"],
};

/** One moment of a schedule. */
export interface Tick {
  seq: number;
  dueMs: number;
}

export interface SubmittedRun {
  activationId: string;
  /** `refused`: its record says why, and nothing will run. */
  outcome: "queued" | "refused";
}

export interface RunSubmitterOptions {
  codeq: Pick<InvocationCodeQ, "publish">;
  activations: Pick<Store["activations"], "create" | "finish">;
  catalog: Catalog;
  limits: Pick<Limits, "asyncDepthMax">;
  /** Where what it submits will run, for the record. */
  tier: string;
  clock: () => number;
}

/** Turns ticks, and wishes to run a schedule now, into asynchronous activations. */
export interface RunSubmitter {
  /**
   * Queues a tick. Harmless when repeated: its id is made of schedule and number, and what has ended is not run again.
   * @returns once it is as durable as the queue makes it, with its record
   * @throws CS_QUEUE_FULL, CS_CODEQ_PUBLISH_FAILED, CS_STORE_UNAVAILABLE
   */
  tick(schedule: ScheduleRecord, tick: Tick): Promise<SubmittedRun>;
  /** Queues a run beside the ticks, on somebody's wish. @throws as `tick` */
  now(schedule: ScheduleRecord, by: string): Promise<SubmittedRun>;
}

export function createRunSubmitter(options: RunSubmitterOptions): RunSubmitter {
  const { codeq, activations, catalog, limits, tier, clock } = options;

  function invocationOf(schedule: ScheduleRecord, id: string, source: Record<string, unknown>): Invocation {
    const { tenant, namespace, ref } = schedule;
    return {
      activation_id: id,
      request_id: newRequestId(),
      tenant,
      namespace,
      ref: { ...ref },
      trigger: { type: "schedule", source: { schedule: schedule.name, ...source } },
      principal: SCHEDULER_PRINCIPAL,
      deadline_ms: 0,
      mode: "async",
      expires_at_ms: 0,
      attempt: 1,
      enqueued_at_ms: clock(),
      new_id: false,
      strict: false,
      event_json: JSON.stringify(schedule.payload ?? null),
    };
  }

  async function publish(invocation: Invocation, version: VersionRecord): Promise<void> {
    const { activation_id, tenant, namespace, ref, enqueued_at_ms } = invocation;
    ref.version = version.version;
    invocation.expires_at_ms = enqueued_at_ms + version.config.retry.max_age_ms;
    const destinations = destinationsOf(version.config);
    if (destinations !== undefined) invocation.destinations = destinations;
    const record = new LiveActivation(invocation, version.version, tier).record();
    const create = async (): Promise<void> => void (await createQueued(activations, record));
    let created = false;
    const together = (): Promise<void> => {
      created = true;
      return create();
    };
    const message = {
      id: activation_id,
      topic: TOPICS.invoke,
      tenant,
      lane: `${namespace}/${ref.function}`,
      body: invocation,
      attempt: 1,
      enqueued_at_ms,
      due_at_ms: 0,
      expires_at_ms: invocation.expires_at_ms,
    };
    await codeq.publish(message, { depthMax: limits.asyncDepthMax, durable: true, together });
    // The queue has it from an earlier try, whose record may not have been written.
    if (!created) await create();
  }

  /** Leaves a record that says why a run was not to be. */
  async function refuse(invocation: Invocation, version: number, error: PlatformError): Promise<void> {
    const nowMs = clock();
    const type = error.code === "CS_AUTHZ_ROLE_MISSING" ? "RoleMissing" : "BundleError";
    const record: TerminalRecord = {
      ...new LiveActivation(invocation, version, tier).record(),
      status: "error",
      end_ms: nowMs,
      duration_ms: 0,
      error: { type, message: error.message },
    };
    await activations.finish(record);
  }

  async function submit(
    schedule: ScheduleRecord,
    id: string,
    source: Record<string, unknown>,
  ): Promise<SubmittedRun> {
    const invocation = invocationOf(schedule, id, source);
    const { tenant, namespace, ref } = schedule;
    let version: VersionRecord | undefined;
    try {
      version = await catalog.resolve({ tenant, namespace, name: ref.function }, targetOf(ref));
      requireTriggerRole(SCHEDULER_PRINCIPAL, version.config.authz.invoke_schedule_roles);
    } catch (error) {
      if (!(error instanceof PlatformError) || error.status >= 500) throw error;
      await refuse(invocation, version?.version ?? 0, error);
      return { activationId: id, outcome: "refused" };
    }
    await publish(invocation, version);
    return { activationId: id, outcome: "queued" };
  }

  return {
    tick: (schedule, { seq, dueMs }) =>
      submit(schedule, tickActivationId(schedule.uid, seq), { tick_seq: seq, due_ms: dueMs }),
    now: (schedule, by) => submit(schedule, newActivationId(), { run_now_by: by }),
  };
}

/** @returns what a schedule's ref asks the catalog for; `undefined` for the newest version */
export function targetOf(ref: ScheduleRecord["ref"]): RefTarget | undefined {
  if (ref.version !== undefined) return { version: ref.version };
  return ref.alias === undefined || ref.alias === LATEST_ALIAS ? undefined : { alias: ref.alias };
}

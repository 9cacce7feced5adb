import {
  type CadenceWorkerRecord,
  type FunctionRef,
  type Invocation,
  newRequestId,
  PlatformError,
  type VersionRecord,
} from "@sous/contract";
import type { Store, TerminalRecord } from "@sous/store";
import { destinationsOf } from "../activations/destination-task.ts";
import { LiveActivation } from "../activations/live-activation.ts";
import { requireTriggerRole } from "../auth/authorize.ts";
import { CADENCE_PRINCIPAL } from "../cadence-workers/worker-records.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { targetOf } from "../schedules/submit-run.ts";
import { type ActivityAnswer, type FailureReason, failureOf } from "./activity-answer.ts";
import { activityEvent, activitySource } from "./activity-event.ts";
import type { ActivityTask } from "./activity-server.ts";

export interface PrepareActivityOptions {
  catalog: Catalog;
  activations: Pick<Store["activations"], "finish">;
  inputBytesMax: number;
  /** Where it will run, for the record. */
  tier: string;
  clock: () => number;
}

/**
 * Makes the invocation of a task, its version pinned.
 * @param deadlineMs when Cadence gives the attempt up; `null` for never
 * @returns the invocation, or what Cadence is told instead; where a function is named, a record says so too
 * @throws what may go away: CS_STORE_UNAVAILABLE and other faults of the platform
 */
export async function prepareActivity(
  options: PrepareActivityOptions,
  worker: CadenceWorkerRecord,
  task: ActivityTask,
  activationId: string,
  deadlineMs: number | null,
): Promise<Invocation | ActivityAnswer> {
  const { catalog, inputBytesMax, clock } = options;
  const { tenant, namespace, activity_map: map } = worker;
  const ref = Object.hasOwn(map, task.type) ? map[task.type] : undefined;
  if (ref === undefined) {
    const message = `worker ${worker.name} names no function for activities of type ${task.type}; add it to activity_map`;
    return failureOf("mapping_not_found", { type: "CS_NOT_FOUND", message });
  }
  if (task.input.length > inputBytesMax) {
    const message = `the input of an activity holds at most ${inputBytesMax} bytes, not ${task.input.length}`;
    return failureOf("input_too_large", { type: "CS_PAYLOAD_TOO_LARGE", message });
  }
  const invocation = invocationOf(worker, task, ref, activationId, clock());
  let version: VersionRecord | undefined;
  try {
    version = await catalog.resolve({ tenant, namespace, name: ref.function }, targetOf(ref));
    requireTriggerRole(CADENCE_PRINCIPAL, version.config.authz.invoke_cadence_roles);
  } catch (error) {
    if (!(error instanceof PlatformError) || error.status >= 500) throw error;
    await refuse(options, invocation, version?.version ?? 0, error);
    return failureOf(reasonOf(error, ref), { type: error.code, message: error.message });
  }
  invocation.ref.version = version.version;
  const oldestMs = clock() + version.config.retry.max_age_ms;
  invocation.expires_at_ms = Math.min(oldestMs, deadlineMs ?? Infinity);
  const destinations = destinationsOf(version.config);
  if (destinations !== undefined) invocation.destinations = destinations;
  return invocation;
}

function invocationOf(
  worker: CadenceWorkerRecord,
  task: ActivityTask,
  ref: FunctionRef,
  activation_id: string,
  nowMs: number,
): Invocation {
  return {
    activation_id,
    request_id: newRequestId(),
    tenant: worker.tenant,
    namespace: worker.namespace,
    ref: { ...ref },
    trigger: { type: "cadence", source: activitySource(worker, task) },
    principal: CADENCE_PRINCIPAL,
    deadline_ms: 0,
    mode: "async",
    expires_at_ms: 0,
    attempt: 1,
    enqueued_at_ms: nowMs,
    new_id: false,
    strict: false,
    event_json: activityEvent(worker, task),
  };
}

/** Leaves a record that says why a task was not to be run. */
async function refuse(
  { activations, tier, clock }: PrepareActivityOptions,
  invocation: Invocation,
  version: number,
  error: PlatformError,
): Promise<void> {
  const type = error.code === "CS_AUTHZ_ROLE_MISSING" ? "RoleMissing" : "BundleError";
  const record: TerminalRecord = {
    ...new LiveActivation(invocation, version, tier).record(),
    status: "error",
    end_ms: clock(),
    duration_ms: 0,
    error: { type, message: error.message },
  };
  await activations.finish(record);
}

function reasonOf({ code }: PlatformError, { version }: FunctionRef): FailureReason {
  if (code === "CS_AUTHZ_ROLE_MISSING") return "role_missing";
  return version === undefined ? "resolve_version_failed" : "version_not_found";
}

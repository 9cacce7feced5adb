import {
  derivedActivationId,
  type Invocation,
  LATEST_ALIAS,
  type Limits,
  newRequestId,
  parseRefTarget,
  PlatformError,
  type Principal,
  type VersionRecord,
} from "@sous/contract";
import { type DestinationTask, destinationsOf } from "../activations/destination-task.ts";
import { queueInvocation, type QueueInvocationOptions } from "../activations/queue-invocation.ts";
import { requireTriggerRole, triggerRoles } from "../auth/authorize.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { type DestinationFailure, finalFailure, passingFailure } from "./destination-failure.ts";

/** The role a destination brings besides those of the caller it runs for. */
export const DESTINATION_ROLE = "sp:cs-destinations";
const ROLES_MAX = 256;

export interface FunctionDeliveryOptions extends QueueInvocationOptions {
  catalog: Catalog;
  limits: Limits;
  now: () => number;
}

/** Queues the destination's function with the event. @returns why it could not, or `undefined` */
export async function deliverToFunction(
  options: FunctionDeliveryOptions,
  task: DestinationTask,
  refText: string,
): Promise<DestinationFailure | undefined> {
  const [name = "", text = LATEST_ALIAS] = refText.split("@");
  const target = text === LATEST_ALIAS ? undefined : parseRefTarget(text);
  const principal = principalOf(task);
  try {
    const version = await options.catalog.resolve(
      { tenant: task.tenant, namespace: task.namespace, name },
      target,
    );
    requireTriggerRole(principal, triggerRoles(version.config.authz, "event"));
    const alias = target !== undefined && "alias" in target ? target.alias : undefined;
    const invocation = invocationOf(task, principal, name, alias, version, options.now());
    await queueInvocation(options, invocation, options.limits.asyncDepthMax);
    return undefined;
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    const denied = error.code === "CS_AUTHZ_ROLE_MISSING";
    const cure = denied ? `; ${DESTINATION_ROLE} in its invoke_event_roles lets every destination in` : "";
    const reason = `function ${refText}: ${error.message}${cure}`;
    const final = denied || error.code === "CS_NOT_FOUND";
    return final ? finalFailure(reason) : passingFailure(reason);
  }
}

/** Whoever called the first function is who the next one runs for. */
function principalOf({ principal: { sub, roles } }: DestinationTask): Principal {
  return {
    sub,
    roles: [DESTINATION_ROLE, ...roles.filter((role) => role !== DESTINATION_ROLE)].slice(0, ROLES_MAX),
  };
}

function invocationOf(
  task: DestinationTask,
  principal: Principal,
  name: string,
  alias: string | undefined,
  version: VersionRecord,
  nowMs: number,
): Invocation {
  const { activation_id, condition, function: source, depth, traceparent } = task;
  const invocation: Invocation = {
    activation_id: derivedActivationId("destination", activation_id),
    request_id: newRequestId(),
    tenant: task.tenant,
    namespace: task.namespace,
    ref: { function: name, ...(alias === undefined ? {} : { alias }), version: version.version },
    trigger: {
      type: "event",
      source: { destination: condition, activation_id, function: source, version: task.version },
    },
    principal,
    deadline_ms: 0,
    mode: "async",
    expires_at_ms: nowMs + version.config.retry.max_age_ms,
    attempt: 1,
    enqueued_at_ms: nowMs,
    new_id: false,
    strict: version.config.durability === "strict",
    depth,
    event_json: task.event_json,
  };
  const destinations = destinationsOf(version.config);
  if (destinations !== undefined) invocation.destinations = destinations;
  if (traceparent !== undefined) invocation.traceparent = traceparent;
  return invocation;
}

import type { Message } from "@sous/codeq";
import {
  type Destination,
  type DestinationCondition,
  type Destinations,
  type Invocation,
  type Principal,
  TOPICS,
  type VersionConfig,
} from "@sous/contract";
import type { TerminalRecord } from "@sous/store";
import { destinationEvent, endedAtMs } from "./destination-event.ts";

/** How long a delivery may wait in all; its attempts end long before. */
const MAX_AGE_MS = 7 * 24 * 3600 * 1000;

/** The end of one activation on its way to its destination: work of its own, with retries and a dead letter of its own. */
export interface DestinationTask {
  /** The activation that ended. */
  activation_id: string;
  request_id: string;
  tenant: string;
  namespace: string;
  function: string;
  version: number;
  condition: DestinationCondition;
  destination: Destination;
  /** How many functions called one another up to whoever is told. */
  depth: number;
  /** On whose behalf. */
  principal: Principal;
  traceparent?: string;
  /** When the activation ended, epoch milliseconds. */
  ended_at_ms: number;
  event_json: string;
}

/** @returns the destinations a version gives to its queued calls, or `undefined`; the same object for each call */
export function destinationsOf(config: VersionConfig): Destinations | undefined {
  const { on_success, on_failure } = config;
  if (on_success === undefined && on_failure === undefined) return undefined;
  let found = byConfig.get(config);
  if (found === undefined) {
    found = {
      ...(on_success === undefined ? {} : { on_success }),
      ...(on_failure === undefined ? {} : { on_failure }),
    };
    byConfig.set(config, found);
  }
  return found;
}

const byConfig = new WeakMap<VersionConfig, Destinations>();

/** @returns the message that tells the destination of an end, or `undefined` where nobody is to be told */
export function destinationMessage(
  invocation: Invocation,
  record: TerminalRecord,
  nowMs: number,
): Message<DestinationTask> | undefined {
  // Whoever cancelled it knows.
  if (record.status === "cancelled") return undefined;
  const condition = record.status === "success" ? "on_success" : "on_failure";
  const destination = invocation.destinations?.[condition];
  if (destination === undefined) return undefined;
  const { activation_id, request_id, tenant, namespace, ref, principal, traceparent } = invocation;
  const body: DestinationTask = {
    activation_id,
    request_id,
    tenant,
    namespace,
    function: ref.function,
    version: record.resolved_version,
    condition,
    destination,
    depth: (invocation.depth ?? 0) + 1,
    principal,
    ended_at_ms: endedAtMs(invocation, record),
    event_json: destinationEvent(invocation, record, condition),
  };
  if (traceparent !== undefined) body.traceparent = traceparent;
  return {
    // An activation has one end: one message, however often it is said.
    id: `dst_${activation_id}`,
    topic: TOPICS.deliver,
    tenant,
    lane: `${namespace}/${ref.function}`,
    body,
    attempt: 1,
    enqueued_at_ms: nowMs,
    due_at_ms: 0,
    expires_at_ms: nowMs + MAX_AGE_MS,
  };
}

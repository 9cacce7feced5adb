import { randomUUID } from "node:crypto";
import {
  type CreateScheduleBody,
  type PatchScheduleBody,
  PlatformError,
  type ScheduleRecord,
  type ScheduleReply,
  type VersionRecord,
} from "@sous/contract";
import type { FunctionKey, StoredSchedule } from "@sous/store";
import { requireTriggerRole } from "../auth/authorize.ts";
import { scheduleStart } from "../schedules/schedule-start.ts";
import { SCHEDULER_PRINCIPAL, targetOf } from "../schedules/submit-run.ts";
import type { ControlContext } from "./control-context.ts";

const NEXT_RUNS = 5;
/** How often a change is tried again that somebody else's change came before. */
const TRIES = 5;

/**
 * Creates a schedule; its first tick is its first moment from now on.
 * @throws CS_VALIDATION_FAILED, CS_PAYLOAD_TOO_LARGE, CS_NOT_FOUND for a ref that names nothing, CS_CONFLICT
 */
export async function createSchedule(
  context: ControlContext,
  { tenant, namespace }: { tenant: string; namespace: string },
  body: CreateScheduleBody,
): Promise<ScheduleReply> {
  const nowMs = context.clock();
  const { name, ref, cron, timezone, every_seconds, ...rest } = body;
  const record: ScheduleRecord = {
    tenant,
    namespace,
    name,
    uid: randomUUID(),
    ...timesOf({ cron, timezone, every_seconds }),
    overlap_policy: "skip",
    ref,
    payload: null,
    enabled: true,
    jitter_seconds: 0,
    max_catchup_ticks: context.limits.scheduleCatchupMax,
    generation: 1,
    created_at_ms: nowMs,
    updated_at_ms: nowMs,
    ...rest,
  };
  check(context, record);
  const version = await resolve(context, record);
  await context.store.schedules.create(record, scheduleStart(record, 1, nowMs, context.timing));
  context.onScheduleChange();
  return replyOf(context, await findSchedule(context, record), version);
}

/**
 * Changes a schedule. Whatever is changed, it starts again from now: its next tick is its first moment from now on.
 * @throws as `createSchedule`; CS_CONFLICT when others change it all the time
 */
export async function patchSchedule(
  context: ControlContext,
  key: FunctionKey,
  body: PatchScheduleBody,
): Promise<ScheduleReply> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const stored = await findSchedule(context, key);
    const nowMs = context.clock();
    const { every_seconds, cron, timezone, ...kept } = stored.record;
    const { every_seconds: newEvery, cron: newCron, timezone: newZone, ...changes } = body;
    const isNewTime = newEvery !== undefined || newCron !== undefined;
    const times = isNewTime
      ? { every_seconds: newEvery, cron: newCron, timezone: newZone }
      : { every_seconds, cron, timezone: newZone ?? timezone };
    const record: ScheduleRecord = {
      ...kept,
      ...timesOf(times),
      ...changes,
      generation: stored.record.generation + 1,
      updated_at_ms: nowMs,
    };
    check(context, record);
    // Whoever only pauses it must be able to, whatever has become of its function.
    const version = await (body.ref === undefined ? tryResolve(context, record) : resolve(context, record));
    const start = scheduleStart(record, stored.state.tick_seq + 1, nowMs, context.timing);
    if (!(await context.store.schedules.replace(record, start))) continue;
    context.onScheduleChange();
    return replyOf(context, await findSchedule(context, record), version);
  }
  throw new PlatformError("CS_CONFLICT", `schedule ${key.name} is being changed by others; try again`);
}

/** @throws CS_NOT_FOUND */
export async function findSchedule({ store }: ControlContext, key: FunctionKey): Promise<StoredSchedule> {
  const stored = await store.schedules.get(key);
  if (stored !== undefined) return stored;
  throw new PlatformError("CS_NOT_FOUND", `there is no schedule ${key.name} in namespace ${key.namespace}`);
}

/** @returns a schedule as it is answered, with what will not work by the version its ref means now */
export async function describeSchedule(
  context: ControlContext,
  stored: StoredSchedule,
): Promise<ScheduleReply> {
  return replyOf(context, stored, await tryResolve(context, stored.record));
}

/** @returns a schedule with where it stands */
export function itemOf({ record, state }: StoredSchedule) {
  const { tick_seq, next_tick_ms, inflight } = state;
  return { ...record, tick_seq, next_tick_ms, inflight };
}

type Times = { [Name in "every_seconds" | "cron" | "timezone"]: ScheduleRecord[Name] | undefined };

/** @throws CS_VALIDATION_FAILED unless exactly one of interval and cron is given */
function timesOf({ every_seconds, cron, timezone }: Times): Pick<ScheduleRecord, keyof Times> {
  if (every_seconds !== undefined && cron === undefined && timezone === undefined) return { every_seconds };
  if (cron !== undefined && every_seconds === undefined) return { cron, timezone: timezone ?? "UTC" };
  const message =
    timezone !== undefined && every_seconds !== undefined && cron === undefined
      ? "timezone goes with cron; an interval is the same everywhere"
      : "give every_seconds or cron, one of the two";
  throw new PlatformError("CS_VALIDATION_FAILED", message);
}

/** @throws CS_PAYLOAD_TOO_LARGE, CS_VALIDATION_FAILED for a ref with two targets, or a cron that never comes */
function check(context: ControlContext, record: ScheduleRecord): void {
  const { limits, timing, clock } = context;
  const bytes = Buffer.byteLength(JSON.stringify(record.payload));
  if (bytes > limits.schedulePayloadBytesMax) {
    const message = `a schedule's payload holds at most ${limits.schedulePayloadBytesMax} bytes as JSON, not ${bytes}`;
    throw new PlatformError("CS_PAYLOAD_TOO_LARGE", message);
  }
  if (record.ref.alias !== undefined && record.ref.version !== undefined) {
    throw new PlatformError("CS_VALIDATION_FAILED", "ref names an alias or a version, not both");
  }
  if (timing.next(record, clock()) === null) {
    throw new PlatformError(
      "CS_VALIDATION_FAILED",
      `cron ${record.cron ?? ""} names no moment that ever comes`,
    );
  }
}

/** @returns the version the schedule would run now. @throws CS_NOT_FOUND */
const resolve = async ({ catalog }: ControlContext, { tenant, namespace, ref }: ScheduleRecord) =>
  catalog.resolve({ tenant, namespace, name: ref.function }, targetOf(ref));

/** @returns the version the schedule would run now, or why there is none */
async function tryResolve(
  context: ControlContext,
  record: ScheduleRecord,
): Promise<VersionRecord | PlatformError> {
  try {
    return await resolve(context, record);
  } catch (error) {
    if (error instanceof PlatformError && error.status < 500) return error;
    throw error;
  }
}

function replyOf(
  { timing }: ControlContext,
  stored: StoredSchedule,
  version: VersionRecord | PlatformError,
): ScheduleReply {
  const { record, state } = stored;
  return {
    ...itemOf(stored),
    next_runs: timing.upcoming(record, state.next_tick_ms, NEXT_RUNS),
    warnings: warningsOf(record, version),
  };
}

function warningsOf({ ref }: ScheduleRecord, version: VersionRecord | PlatformError): string[] {
  if (version instanceof PlatformError) return [`ticks fail: ${version.message}`];
  try {
    requireTriggerRole(SCHEDULER_PRINCIPAL, version.config.authz.invoke_schedule_roles);
    return [];
  } catch {
    return [
      `version ${version.version} of ${ref.function} lets no schedule run it: its ticks are recorded as errors; ` +
        "publish it with role:worker in invoke_schedule_roles",
    ];
  }
}

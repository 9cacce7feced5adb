import { randomUUID } from "node:crypto";
import {
  type CreateEventSourceBody,
  type EventSourceRecord,
  type EventSourceReply,
  type EventSourceStatus,
  LIMITS,
  type PatchEventSourceBody,
  PlatformError,
} from "@sous/contract";
import type { FunctionKey } from "@sous/store";
import {
  CHECKPOINT_KIND,
  EVENT_SOURCE_KIND,
  readEventSource,
  sourceTopic,
  STATUS_KIND,
  type StoredEventSource,
  unknownStatus,
} from "../events/event-resources.ts";
import { refTargetOf } from "../events/ref-target.ts";
import type { ControlContext } from "./control-context.ts";
import { checkEventSource, eventSourceDefaults } from "./check-event-source.ts";
import { eventSourceWarnings } from "./event-source-warnings.ts";

/** How often a change is tried again that somebody else's change came before. */
const TRIES = 5;
const PAGE = 500;

/**
 * Creates an event source.
 * @throws CS_VALIDATION_FAILED, CS_NOT_FOUND for a ref that names nothing, CS_CONFLICT, CS_PAYLOAD_TOO_LARGE
 */
export async function createEventSource(
  context: ControlContext,
  { tenant, namespace }: { tenant: string; namespace: string },
  body: CreateEventSourceBody,
): Promise<EventSourceReply> {
  const nowMs = context.clock();
  const { retry, ...fields } = body;
  const defaults = eventSourceDefaults(body.type);
  const record = checkEventSource({
    ...defaults,
    ...(body.type === "webhook" ? { webhook: {} } : {}),
    ...fields,
    retry: { ...defaults.retry, ...retry },
    tenant,
    namespace,
    uid: randomUUID(),
    created_at_ms: nowMs,
    updated_at_ms: nowMs,
  });
  await resolve(context, record);
  const key = { tenant, namespace, name: record.name };
  const max = LIMITS.eventSourcesPerNamespaceMax;
  await context.store.resources.create(EVENT_SOURCE_KIND, key, JSON.stringify(record), max);
  context.onEventSourceChange();
  return await describeEventSource(context, { record, generation: 1 });
}

/**
 * Changes an event source; it is read anew with what changed, from where it was.
 * @throws as `createEventSource`; CS_STORE_CAS_FAILED when it is not of the generation that was named
 */
export async function patchEventSource(
  context: ControlContext,
  key: FunctionKey,
  body: PatchEventSourceBody,
): Promise<EventSourceReply> {
  const { generation: wanted, ...changes } = body;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const { record: before, generation } = await findEventSource(context, key);
    if (wanted !== undefined && wanted !== generation) {
      const message = `event source ${key.name} is of generation ${generation}, not ${wanted}: read it again`;
      throw new PlatformError("CS_STORE_CAS_FAILED", message);
    }
    const record = checkEventSource({ ...changed(before, changes), updated_at_ms: context.clock() });
    // Whoever only pauses it must be able to, whatever has become of its function.
    if (body.ref !== undefined) await resolve(context, record);
    const json = JSON.stringify(record);
    if (!(await context.store.resources.replace(EVENT_SOURCE_KIND, key, generation, json))) continue;
    context.onEventSourceChange();
    return await describeEventSource(context, { record, generation: generation + 1 });
  }
  throw new PlatformError("CS_CONFLICT", `event source ${key.name} is being changed by others; try again`);
}

/** @returns a record with what changes; null takes a field away */
function changed(
  before: EventSourceRecord,
  { ordering_key, on_failure, retry, ...changes }: Omit<PatchEventSourceBody, "generation">,
): EventSourceRecord {
  const { ordering_key: keyBefore, on_failure: toldBefore, ...kept } = before;
  const key = ordering_key === undefined ? keyBefore : ordering_key;
  const told = on_failure === undefined ? toldBefore : on_failure;
  return {
    ...kept,
    ...changes,
    retry: { ...before.retry, ...retry },
    ...(key === undefined || key === null ? {} : { ordering_key: key }),
    ...(told === undefined || told === null ? {} : { on_failure: told }),
  };
}

/**
 * Deletes an event source with what is known of it, and what waits for it in the platform's own queue. What it has started
 * goes on.
 * @throws CS_NOT_FOUND
 */
export async function deleteEventSource(context: ControlContext, key: FunctionKey): Promise<void> {
  const { resources } = context.store;
  const { record } = await findEventSource(context, key);
  await resources.delete(EVENT_SOURCE_KIND, key);
  context.onEventSourceChange();
  await resources.delete(STATUS_KIND, key);
  let cursor: string | undefined;
  do {
    const page = await resources.list(CHECKPOINT_KIND, key, { limit: PAGE, cursor });
    const own = page.items.filter(({ key: { name } }) => name.startsWith(`${record.uid}/`));
    await Promise.all(own.map((item) => resources.delete(CHECKPOINT_KIND, item.key)));
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  // What comes after, as from whoever still reads it, goes when it is too old.
  await context.codeq.discard(sourceTopic(record), "all", LIMITS.eventDepthMax);
}

/** @throws CS_NOT_FOUND */
export async function findEventSource(
  { store }: ControlContext,
  { tenant, namespace, name }: FunctionKey,
): Promise<StoredEventSource> {
  const stored = await store.resources.get(EVENT_SOURCE_KIND, { tenant, namespace, name });
  if (stored !== undefined) return readEventSource(stored);
  throw new PlatformError("CS_NOT_FOUND", `there is no event source ${name} in namespace ${namespace}`);
}

/** @returns how a source goes: from its poller where it runs here, else as it was written down last */
export async function statusOf(
  { store, eventSourceStatus }: ControlContext,
  { record }: StoredEventSource,
): Promise<EventSourceStatus> {
  if (!record.enabled) return unknownStatus("paused");
  const here = eventSourceStatus(record.uid);
  if (here !== undefined && here.partitions > 0) return here;
  const { tenant, namespace, name } = record;
  const stored = await store.resources.get(STATUS_KIND, { tenant, namespace, name });
  const told = stored === undefined ? undefined : (JSON.parse(stored.record_json) as EventSourceStatus);
  const isOfNow = told !== undefined && (told.updated_at_ms ?? 0) >= record.updated_at_ms;
  return (isOfNow ? told : here) ?? unknownStatus("starting");
}

/** @returns an event source as it is answered, with what will not work by what there is now */
export async function describeEventSource(
  context: ControlContext,
  stored: StoredEventSource,
): Promise<EventSourceReply> {
  const { record, generation } = stored;
  const { tenant, namespace, name, type } = record;
  const url = type === "webhook" ? { url: `/v1/events/${tenant}/${namespace}/${name}` } : {};
  return { ...record, generation, ...url, warnings: await eventSourceWarnings(context, record) };
}

/** @throws CS_NOT_FOUND */
async function resolve(
  { catalog }: ControlContext,
  { tenant, namespace, ref }: EventSourceRecord,
): Promise<void> {
  await catalog.resolve({ tenant, namespace, name: ref.function }, refTargetOf(ref));
}

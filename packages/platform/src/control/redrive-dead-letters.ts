import {
  DEAD_LETTERS_AT_ONCE,
  type DeadLetterSelection,
  derivedActivationId,
  type Invocation,
  LATEST_ALIAS,
  newRequestId,
  PlatformError,
  type Principal,
  type PurgeReply,
  type RedriveBody,
  type RedriveReply,
  type RefTarget,
} from "@sous/contract";
import { destinationsOf } from "../activations/destination-task.ts";
import { queueInvocation } from "../activations/queue-invocation.ts";
import { requireTriggerRole, triggerRoles } from "../auth/authorize.ts";
import { toPlatformError } from "../http/error-reply.ts";
import type { ControlContext } from "./control-context.ts";
import { findDeadLetter, kindOf, listDeadLetters, topicOf } from "./dead-letters.ts";

const AT_A_TIME = 32;
/** Dead letters read in one step. */
const PAGE = 500;

/** What a redriven call is to run; neither means the newest version. */
interface Wanted {
  alias?: string | undefined;
  version?: number | undefined;
}

interface Scope {
  tenant: string;
  namespace: string;
}

/**
 * Puts dead letters back. A call of a function becomes a new activation, since the old one has ended and never
 * changes; its id is derived from the old one's, so that the same letter runs once however often it is redriven.
 * The word of an end goes to its destination again.
 * @param editor who redrives: an event of his own runs in his name
 * @throws CS_VALIDATION_FAILED for a selection that is not one
 */
export async function redriveDeadLetters(
  context: ControlContext,
  scope: Scope,
  body: RedriveBody,
  editor: Principal,
): Promise<RedriveReply> {
  if (body.event !== undefined && body.ids?.length !== 1) {
    throw new PlatformError("CS_VALIDATION_FAILED", "event needs ids with the one dead letter it is for");
  }
  if (body.ref?.alias !== undefined && body.ref.version !== undefined) {
    throw new PlatformError("CS_VALIDATION_FAILED", "ref names both an alias and a version; give one");
  }
  const { ids, ...rest } = await select(context, scope, body);
  const reply: RedriveReply = { redriven: 0, items: [], failed: [], ...rest };
  await forEach(ids, async (id) => {
    try {
      const activation_id = await redrive(context, { ...scope, id }, body, editor);
      reply.redriven += 1;
      reply.items.push({ id, activation_id });
    } catch (error) {
      const { code, message } = toPlatformError(error);
      if (code === "CS_INTERNAL") context.logger.error({ error }, "a dead letter could not be put back");
      reply.failed.push({ id, code, message });
    }
  });
  return reply;
}

/** Takes dead letters away for good. @throws CS_VALIDATION_FAILED for a selection that is not one */
export async function purgeDeadLetters(
  context: ControlContext,
  scope: Scope,
  selection: DeadLetterSelection,
): Promise<PurgeReply> {
  const { ids, ...rest } = await select(context, scope, selection);
  let purged = 0;
  await forEach(ids, async (id) => {
    // Ids of a list are of this namespace; those that were sent may be of any.
    if (selection.ids !== undefined && !(await isThere(context, { ...scope, id }))) return;
    if (await context.codeq.removeDead(topicOf(kindOf(id)), scope.tenant, id)) purged += 1;
  });
  return { purged, ...rest };
}

async function isThere(context: ControlContext, params: Scope & { id: string }): Promise<boolean> {
  try {
    await findDeadLetter(context, params);
    return true;
  } catch (error) {
    if (error instanceof PlatformError && error.code === "CS_NOT_FOUND") return false;
    throw error;
  }
}

async function select(
  context: ControlContext,
  scope: Scope,
  { ids, function: name, all, kind, limit = DEAD_LETTERS_AT_ONCE, cursor: from }: DeadLetterSelection,
): Promise<{ ids: readonly string[]; more: boolean; next_cursor: string | null }> {
  if ([ids, name, all].filter((given) => given !== undefined).length !== 1) {
    throw new PlatformError("CS_VALIDATION_FAILED", "say which: exactly one of ids, function and all");
  }
  if (ids !== undefined) {
    if (from !== undefined)
      throw new PlatformError("CS_VALIDATION_FAILED", "cursor goes with function or all");
    return { ids, more: false, next_cursor: null };
  }
  const found: string[] = [];
  // What fails again while a long list is dealt with is not of it any more.
  let [untilMs, cursor] = from === undefined ? [context.clock(), undefined] : parseCursor(from);
  do {
    const page = await listDeadLetters(
      context,
      { ...scope, function: name, kind },
      { limit: Math.min(PAGE, limit - found.length), ...(cursor && { cursor }) },
    );
    found.push(...page.items.filter((item) => item.dead_at_ms <= untilMs).map((item) => item.id));
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined && found.length < limit);
  const more = cursor !== undefined;
  return { ids: found, more, next_cursor: more ? `${untilMs}.${cursor}` : null };
}

/** @throws CS_VALIDATION_FAILED */
function parseCursor(text: string): [untilMs: number, cursor: string] {
  const [, untilMs, cursor] = /^(\d{1,16})\.(.+)$/.exec(text) ?? [];
  if (untilMs === undefined || cursor === undefined)
    throw new PlatformError("CS_VALIDATION_FAILED", "cursor is not one that this API gave");
  return [Number(untilMs), cursor];
}

async function redrive(
  context: ControlContext,
  params: Scope & { id: string },
  { ref, event }: Pick<RedriveBody, "ref" | "event">,
  editor: Principal,
): Promise<string> {
  const { codeq, store } = context;
  const { message } = await findDeadLetter(context, params);
  const { body, topic, tenant, id } = message;
  if ("condition" in body) {
    if (event !== undefined || ref !== undefined) {
      const problem = "this tells a destination of an end, which is as it is; leave out event and ref";
      throw new PlatformError("CS_VALIDATION_FAILED", problem);
    }
    await codeq.redrive(topic, id);
    return body.activation_id;
  }
  const invocation = await invocationOf(context, body, ref, event, editor);
  const options = { codeq, store, tier: "isolate" };
  // It waited in the queue before: it may come back however full that is.
  await queueInvocation(options, invocation, Number.MAX_SAFE_INTEGER);
  await codeq.removeDead(topic, tenant, id);
  return invocation.activation_id;
}

/** An alias is looked up again, so that a mended version gets what the broken one could not do. */
async function invocationOf(
  { catalog, clock }: ControlContext,
  old: Invocation,
  ref: RedriveBody["ref"],
  event: unknown,
  editor: Principal,
): Promise<Invocation> {
  const { tenant, namespace, ref: was, trigger } = old;
  const wanted: Wanted = ref ?? (was.alias === undefined ? { version: was.version } : { alias: was.alias });
  const version = await catalog.resolve({ tenant, namespace, name: was.function }, targetOf(wanted));
  const { config } = version;
  const edited = event !== undefined;
  const principal = edited ? editor : old.principal;
  const type = edited ? "api" : trigger.type;
  requireTriggerRole(principal, triggerRoles(config.authz, type));
  const nowMs = clock();
  const {
    reply_to: _reply,
    fingerprint: _fingerprint,
    due_at_ms: _due,
    destinations: _destinations,
    ...kept
  } = old;
  // Whoever is told of a source's last attempt is told of this one too.
  const destinations = old.source_attempt === undefined ? destinationsOf(config) : old.destinations;
  return {
    ...kept,
    activation_id: derivedActivationId("redrive", old.activation_id),
    request_id: newRequestId(),
    ref: {
      function: was.function,
      ...(wanted.alias === undefined || wanted.alias === LATEST_ALIAS ? {} : { alias: wanted.alias }),
      version: version.version,
    },
    trigger: {
      type,
      source: { ...trigger.source, redriven_from: old.activation_id, ...(edited ? { edited: true } : {}) },
    },
    principal,
    deadline_ms: 0,
    attempt: 1,
    enqueued_at_ms: nowMs,
    expires_at_ms: nowMs + config.retry.max_age_ms,
    new_id: false,
    ...(destinations === undefined ? {} : { destinations }),
    event_json: edited ? JSON.stringify(event) : old.event_json,
  };
}

function targetOf({ alias, version }: Wanted): RefTarget | undefined {
  if (version !== undefined) return { version };
  return alias === undefined || alias === LATEST_ALIAS ? undefined : { alias };
}

/** Some at a time: a thousand at once would hold up everybody else. */
async function forEach(ids: readonly string[], work: (id: string) => Promise<void>): Promise<void> {
  for (let at = 0; at < ids.length; at += AT_A_TIME)
    await Promise.all(ids.slice(at, at + AT_A_TIME).map(work));
}

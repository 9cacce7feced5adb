import type { CodeQ, DeadHeading, DeadLetter } from "@sous/codeq";
import {
  DEAD_LETTER_KINDS,
  type DeadLetterItem,
  type DeadLetterKind,
  type DeadLetterPage,
  type DeadLetterParams,
  type DeadLetterReply,
  type Invocation,
  type ListDeadLettersQuery,
  LIMITS,
  PlatformError,
  TOPICS,
} from "@sous/contract";
import type { DestinationTask } from "../activations/destination-task.ts";
import type { ControlContext } from "./control-context.ts";

/** Whose dead letters. */
export interface DeadLetterScope {
  tenant: string;
  namespace: string;
  /** (every one of the namespace) */
  function?: string | undefined;
  /** (both) */
  kind?: DeadLetterKind | undefined;
}

const DESTINATION_PREFIX = "dst_";

export const topicOf = (kind: DeadLetterKind): string =>
  kind === "invocation" ? TOPICS.invoke : TOPICS.deliver;

/** @returns what died: ids tell the kinds apart */
export const kindOf = (id: string): DeadLetterKind =>
  id.startsWith(DESTINATION_PREFIX) ? "destination" : "invocation";

/** Lists dead letters, those of functions first. @throws CS_VALIDATION_FAILED for a cursor of another list */
export async function listDeadLetters(
  { codeq }: Pick<ControlContext, "codeq">,
  scope: DeadLetterScope,
  query: Pick<ListDeadLettersQuery, "limit" | "cursor">,
): Promise<DeadLetterPage> {
  const limit = query.limit ?? LIMITS.pageSizeDefault;
  const from = readCursor(query.cursor);
  const lane = `${scope.namespace}/${scope.function ?? ""}`;
  const found: { kind: DeadLetterKind; heading: DeadHeading }[] = [];
  for (const kind of DEAD_LETTER_KINDS.slice(DEAD_LETTER_KINDS.indexOf(from.kind))) {
    if (scope.kind !== undefined && scope.kind !== kind) continue;
    const after = kind === from.kind ? from.at : 0;
    const room = limit + 1 - found.length;
    const headings = await codeq.deadPage(topicOf(kind), { tenant: scope.tenant, lane }, after, room);
    found.push(...headings.map((heading) => ({ kind, heading })));
    if (found.length > limit) break;
  }
  const last = found.length > limit ? found[limit - 1] : undefined;
  return {
    items: found.slice(0, limit).map(({ kind, heading }) => itemOf(kind, heading)),
    next_cursor: last === undefined ? null : `${last.kind}.${last.heading.at}`,
  };
}

function readCursor(cursor: string | undefined): { kind: DeadLetterKind; at: number } {
  if (cursor === undefined) return { kind: "invocation", at: 0 };
  const [, kind, at] = /^(invocation|destination)\.([0-9]{1,15})$/.exec(cursor) ?? [];
  if (kind !== undefined) return { kind: kind as DeadLetterKind, at: Number(at) };
  throw new PlatformError(
    "CS_VALIDATION_FAILED",
    "cursor is not one of this list's; start again without one",
  );
}

function itemOf(kind: DeadLetterKind, heading: Omit<DeadHeading, "at">): DeadLetterItem {
  const { id, lane, attempt, reason, enqueued_at_ms, dead_at_ms } = heading;
  return {
    id,
    kind,
    activation_id: kind === "destination" ? id.slice(DESTINATION_PREFIX.length) : id,
    function: lane.slice(lane.indexOf("/") + 1),
    attempt,
    reason,
    enqueued_at_ms,
    dead_at_ms,
  };
}

/** Reads one dead letter of a namespace. @throws CS_NOT_FOUND, also for one of another tenant or namespace */
export async function findDeadLetter(
  { codeq }: Pick<ControlContext, "codeq">,
  { tenant, namespace, id }: DeadLetterParams,
): Promise<DeadLetter<Invocation | DestinationTask>> {
  const queue = codeq as unknown as Pick<CodeQ<Invocation | DestinationTask, unknown>, "findDead">;
  const letter = await queue.findDead(topicOf(kindOf(id)), tenant, id);
  if (letter !== undefined && letter.message.lane.startsWith(`${namespace}/`)) return letter;
  throw new PlatformError("CS_NOT_FOUND", `there is no dead letter ${id} in ${namespace}; see GET …/dlq`);
}

/** Shows one dead letter with its event and everything that was tried. @throws CS_NOT_FOUND */
export async function showDeadLetter(
  context: Pick<ControlContext, "codeq" | "store">,
  params: DeadLetterParams,
): Promise<DeadLetterReply> {
  const { message, reason } = await findDeadLetter(context, params);
  const { body, due_at_ms: dead_at_ms } = message;
  const item = itemOf(kindOf(message.id), { ...message, reason, dead_at_ms });
  const shared = { ...item, principal: body.principal, event: JSON.parse(body.event_json) as unknown };
  if ("condition" in body) {
    const { condition, destination, function: name, version } = body;
    return { ...shared, ref: { function: name, version }, condition, destination };
  }
  const record = await context.store.activations.get(params.tenant, item.activation_id);
  const reply: DeadLetterReply = { ...shared, ref: body.ref, trigger: body.trigger };
  if (record !== undefined) reply.attempts = record.attempts;
  if (record?.error !== undefined) reply.error = record.error;
  return reply;
}

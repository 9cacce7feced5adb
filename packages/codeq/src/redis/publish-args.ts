import type { Message, PublishOptions } from "../codeq.ts";

/** A message on its way into a shard. */
export interface Publishing {
  message: Message<string>;
  options: Pick<PublishOptions, "depthMax" | "durable">;
}

/**
 * Writes messages as `lua/publish.lua` reads them: those that follow one another and differ in nothing but id and body
 * share what is said of them, which under load is most.
 */
export function publishArgs(items: readonly Publishing[], nowMs: number): (string | number)[] {
  const args: (string | number)[] = [];
  let countAt = -1;
  let last: Publishing | undefined;
  for (const item of items) {
    const { message, options } = item;
    if (last === undefined || !isAlike(last, item)) {
      const { tenant, lane, attempt, enqueued_at_ms, due_at_ms, expires_at_ms } = message;
      countAt = args.length;
      args.push(0, tenant, lane, attempt, enqueued_at_ms, due_at_ms, expires_at_ms);
      args.push(due_at_ms - nowMs, expires_at_ms - nowMs, options.depthMax, options.durable ? 1 : 0);
      last = item;
    }
    args[countAt] = Number(args[countAt]) + 1;
    args.push(message.id, message.body);
  }
  return args;
}

function isAlike({ message: a, options: x }: Publishing, { message: b, options: y }: Publishing): boolean {
  return (
    a.tenant === b.tenant &&
    a.lane === b.lane &&
    a.attempt === b.attempt &&
    a.enqueued_at_ms === b.enqueued_at_ms &&
    a.due_at_ms === b.due_at_ms &&
    a.expires_at_ms === b.expires_at_ms &&
    x.depthMax === y.depthMax &&
    x.durable === y.durable
  );
}

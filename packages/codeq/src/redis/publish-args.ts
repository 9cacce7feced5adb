import type { Message, PublishOptions } from "../codeq.ts";

/** A message on its way into a shard. */
export interface Publishing {
  message: Message<string>;
  options: Pick<PublishOptions, "depthMax" | "durable">;
}

/** Stands between the bodies of a group; JSON has it nowhere. */
const SEPARATOR = "\u001f";

/**
 * Writes messages as `lua/publish.lua` reads them: those that follow one another and differ in nothing but id and body
 * share what is said of them, which under load is most.
 */
export function publishArgs(items: readonly Publishing[], nowMs: number): (string | number)[] {
  const args: (string | number)[] = [];
  let bodies: string[] = [];
  let countAt = -1;
  let last: Publishing | undefined;
  let lastAlone = false;
  const end = (): void => {
    if (last === undefined) return;
    args[countAt] = bodies.length;
    args.push(bodies.length === 1 ? last.message.body : bodies.join(SEPARATOR));
  };
  for (const item of items) {
    const { message, options } = item;
    const alone = standsAlone(item);
    if (last === undefined || lastAlone || alone || !isAlike(last, item)) {
      end();
      const { tenant, lane, attempt, enqueued_at_ms, due_at_ms, expires_at_ms } = message;
      countAt = args.length;
      args.push(0, tenant, lane, attempt, enqueued_at_ms, due_at_ms, expires_at_ms);
      args.push(due_at_ms - nowMs, expires_at_ms - nowMs, options.depthMax, options.durable ? 1 : 0);
      bodies = [];
      last = item;
      lastAlone = alone;
    }
    args.push(message.id);
    bodies.push(message.body);
  }
  end();
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

/** Whether its body cannot be told from others beside it: a codec of somebody else's may write what it likes. */
const standsAlone = ({ message: { body } }: Publishing): boolean => body === "" || body.includes(SEPARATOR);

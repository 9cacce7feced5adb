import type { Message } from "@sous/codeq";
import { type ActivationRecord, type FunctionErrorType, type Invocation, isTerminal } from "@sous/contract";
import type { Store, TerminalRecord } from "@sous/store";
import type { InvocationCodeQ } from "../activations/invocation-queue.ts";
import { replyOf } from "../activations/invocation-reply.ts";
import { LiveActivation } from "../activations/live-activation.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { InvokerOptions } from "./invoker.ts";
import type { RecordWriter } from "./record-writer.ts";
import { deadLetterReason } from "./further-attempts.ts";
import { LEASE_LOST, unrun } from "./unrun.ts";
import type { Unwritten } from "./unwritten.ts";

export interface ExpiryOptions extends Pick<InvokerOptions, "live" | "destinations" | "now"> {
  codeq: Pick<InvocationCodeQ, "reply">;
  store: Pick<Store, "activations">;
  fleet: Pick<Fleet, "tier">;
  records: RecordWriter;
  unwritten: Unwritten;
}

/** Ends work that waited for too long. @returns why it becomes a dead letter, or nothing where it leaves none */
export type Expire = (message: Message<Invocation>) => Promise<string | undefined>;

/**
 * Makes what ends work that waited for too long.
 * @returns settles in the tick in which its end is written, where queue and store share transactions;
 * elsewhere when its end is kept and told: in a server the message goes only then
 */
export function createExpiry(options: ExpiryOptions): Expire {
  const { codeq, store, live, fleet, destinations, now, records, unwritten } = options;
  /** On their way: while the store takes nothing they are told of again. */
  const open = new Map<string, Promise<string | undefined>>();

  async function end({ body, attempt }: Message<Invocation>): Promise<string | undefined> {
    const sync = body.mode === "sync";
    const late = sync && now() >= body.deadline_ms;
    // A lease that was lost counts as an attempt: somebody had begun it, and is gone.
    const type: FunctionErrorType = sync && attempt > 1 ? "SandboxCrashed" : late ? "Timeout" : "Expired";
    const activation = new LiveActivation({ ...body, attempt }, body.ref.version ?? 0, fleet.tier);
    // It waits no more and is not in the store yet: readers find it here.
    if (!sync) live.add(activation);
    const outcome = unrun(
      type === "SandboxCrashed" ? LEASE_LOST : { type, message: "the work waited in the queue for too long" },
    );
    if (attempt > 1) {
      const before = await store.activations.get(body.tenant, body.activation_id).catch(() => undefined);
      activation.earlier = before?.attempts ?? [];
    }
    const record = activation.terminal(outcome, now());
    if (body.reply_to !== undefined) codeq.reply(body.reply_to, body.activation_id, replyOf(record, false));
    // "Too much to do" is not the answer of a key: the same request may run later.
    if (type === "Expired" && sync && (body.fingerprint !== undefined || unwritten.isFull)) return undefined;
    const { promise: kept, resolve, reject } = Promise.withResolvers<string | undefined>();
    // Whoever ended it before may not have come to tell it.
    const remove = (recorded: ActivationRecord): Promise<void> => {
      const isOver = isTerminal(recorded.status);
      const finish = (): Promise<void> => {
        resolve(isOver ? deadLetterReason(activation.invocation, recorded) : undefined);
        return Promise.resolve();
      };
      if (!isOver || body.destinations === undefined) return finish();
      const told = destinations.send(activation.invocation, recorded as TerminalRecord, finish);
      told.catch(reject);
      return told;
    };
    // A store that does not take the record now gets it again: the writer keeps it.
    records.finish({ activation, record, isContested: attempt > 1, remove });
    return await kept;
  }

  return (message) => {
    const { activation_id: id } = message.body;
    const known = open.get(id);
    if (known !== undefined) return known;
    const ended = end(message).finally(() => open.delete(id));
    open.set(id, ended);
    return ended;
  };
}

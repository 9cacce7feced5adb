import type { Message } from "@sous/codeq";
import { type ActivationRecord, type FunctionErrorType, type Invocation, isTerminal } from "@sous/contract";
import type { TerminalRecord } from "@sous/store";
import { replyOf } from "../activations/invocation-reply.ts";
import { LiveActivation } from "../activations/live-activation.ts";
import type { InvokerOptions } from "./invoker.ts";
import type { RecordWriter } from "./record-writer.ts";
import { unrun } from "./unrun.ts";
import type { Unwritten } from "./unwritten.ts";

export interface ExpiryOptions extends Pick<
  InvokerOptions,
  "codeq" | "store" | "live" | "fleet" | "destinations" | "now"
> {
  records: RecordWriter;
  unwritten: Unwritten;
}

/**
 * Makes what ends work that waited for too long.
 * @returns settles when its end is kept: in a server the message goes only then
 */
export function createExpiry(options: ExpiryOptions): (message: Message<Invocation>) => Promise<void> {
  const { codeq, store, live, fleet, destinations, now, records, unwritten } = options;
  const done = (): Promise<void> => Promise.resolve();
  /** Asynchronous work that is at work here: a synchronous call has nobody who would tell of it twice. */
  const find = ({ mode, tenant, activation_id }: Invocation): LiveActivation | undefined =>
    mode === "sync" ? undefined : live.find(tenant, activation_id);

  return async ({ body, attempt }) => {
    const sync = body.mode === "sync";
    // Told of again while the store takes nothing, or while an attempt whose lease was lost goes on here.
    for (let known = find(body); known !== undefined; known = find(body)) {
      if (isTerminal((await endOf(known)).status)) return;
    }
    const late = sync && now() >= body.deadline_ms;
    // A lease that was lost counts as an attempt: somebody had begun it, and is gone.
    const type: FunctionErrorType = sync && attempt > 1 ? "SandboxCrashed" : late ? "Timeout" : "Expired";
    const activation = new LiveActivation({ ...body, attempt }, body.ref.version ?? 0, fleet.tier);
    // It waits no more and is not in the store yet: readers find it here.
    if (!sync) live.add(activation);
    const message =
      type === "SandboxCrashed"
        ? "the process that ran it ended, or could not be reached any more"
        : "the work waited in the queue for too long";
    const outcome = unrun({ type, message });
    const tell = (ended: TerminalRecord): Promise<void> =>
      body.destinations === undefined ? done() : destinations.send(activation.invocation, ended, done);
    // At once where the message leaves the journal within this tick; elsewhere when the record stands.
    const told = codeq.isShared ? undefined : tell(activation.terminal(outcome, now()));
    told?.catch(() => {});
    if (attempt > 1) {
      const before = await store.activations.get(body.tenant, body.activation_id).catch(() => undefined);
      activation.earlier = before?.attempts ?? [];
    }
    const record = activation.terminal(outcome, now());
    if (body.reply_to !== undefined) codeq.reply(body.reply_to, body.activation_id, replyOf(record, false));
    // "Too much to do" is not the answer of a key: the same request may run later.
    if (type === "Expired" && sync && (body.fingerprint !== undefined || unwritten.isFull)) return;
    const { promise: kept, resolve } = Promise.withResolvers<void>();
    const remove = async (recorded: ActivationRecord): Promise<void> => {
      await (told ?? (recorded === record ? tell(record) : done()));
      resolve();
    };
    // A store that does not take the record now gets it again: the writer keeps it.
    records.finish({ activation, record, isContested: attempt > 1, remove });
    await kept;
  };
}

const endOf = (activation: LiveActivation): Promise<ActivationRecord> =>
  new Promise((resolve) => {
    if (activation.ended !== undefined) resolve(activation.ended);
    activation.follow(Infinity, (event) => {
      if (event.type === "end") resolve(event.record);
    });
  });

import type { CodeQ, Message } from "@sous/codeq";
import type { Invocation } from "@sous/contract";
import type { TerminalRecord } from "@sous/store";
import { type DestinationTask, destinationMessage } from "./destination-task.ts";
import type { InvocationCodeQ } from "./invocation-queue.ts";

const RETRY_MS = 1000;
/** Ends held back for a queue that takes none. Past it they are left to the message, which comes back. */
const HELD_MAX = 5000;

export interface DestinationSenderOptions {
  codeq: InvocationCodeQ;
  now: () => number;
  /** Hears of what the queue refused. */
  onFault: (error: unknown) => void;
}

/** Queues the ends of activations for their destinations. */
export interface DestinationSender extends Disposable {
  /**
   * Queues what is to be told of an end, then ends the message it came from.
   *
   * Where queue and store share transactions, both and every write of the same tick are one. Elsewhere the
   * destination comes first: after a crash in between, the message comes back, its activation is found ended,
   * and the same destination is queued again under the same id. Either way no end is lost.
   * @param finish ends the message
   */
  send(invocation: Invocation, record: TerminalRecord, finish: () => Promise<void>): Promise<void>;
}

interface Held {
  message: Message<DestinationTask>;
  finish: () => Promise<void>;
}

export function createDestinationSender(options: DestinationSenderOptions): DestinationSender {
  const { now, onFault } = options;
  const codeq = options.codeq as unknown as CodeQ<DestinationTask, unknown>;
  const held = new Set<Held>();
  let retrier: NodeJS.Timeout | undefined;

  async function publish(message: Message<DestinationTask>, finish: () => Promise<void>): Promise<void> {
    let finished: Promise<void> | undefined;
    const together = (): Promise<void> => (finished = finish());
    await codeq.publish(message, { depthMax: Number.MAX_SAFE_INTEGER, durable: true, together });
    // Not called for a message that is queued already, by an earlier try.
    await (finished ?? finish());
  }

  async function retry(entry: Held): Promise<void> {
    try {
      await publish(entry.message, entry.finish);
      held.delete(entry);
    } catch {
      // Said when it was refused first.
    }
  }

  function hold(entry: Held): void {
    if (held.size >= HELD_MAX) return;
    held.add(entry);
    retrier ??= setInterval(() => {
      for (const each of held) void retry(each);
      if (held.size > 0) return;
      clearInterval(retrier);
      retrier = undefined;
    }, RETRY_MS).unref();
  }

  return {
    async send(invocation, record, finish) {
      const message = destinationMessage(invocation, record, now());
      if (message === undefined) {
        await finish();
        return;
      }
      try {
        await publish(message, finish);
      } catch (error) {
        onFault(error);
        hold({ message, finish });
        throw error;
      }
    },
    [Symbol.dispose]() {
      clearInterval(retrier);
      held.clear();
    },
  };
}

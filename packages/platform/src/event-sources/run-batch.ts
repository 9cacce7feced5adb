import type { EventSourceRecord } from "@sous/contract";
import { reportedFailures } from "../activations/reported-failures.ts";
import type { Held } from "./message-buffer.ts";
import type { EventEnd, EventSubmitter } from "./submit-events.ts";

/** What became of the messages of a batch; each is in one of the lists. */
export interface BatchEnd {
  succeeded: Held[];
  /** Failed their last attempt: their activation is a dead letter, `on_failure` was told. */
  givenUp: Held[];
  /** Failed this attempt, and have another. */
  failed: Held[];
  /** Not run: the call was not to be, or a message of their key before them failed. */
  untried: Held[];
  /** Not run: their call ended, because one of them had become too old while it waited. */
  expired: Held[];
}

export interface RunBatchOptions {
  source: EventSourceRecord;
  partition: string;
  submitter: EventSubmitter;
  isLast: (held: Held) => boolean;
  /** @returns from when on a message is not run any more, epoch milliseconds */
  expiresAtMs: (held: Held) => number;
  /** Hears of each call that ended. */
  onEnd: (end: EventEnd) => void;
  signal: AbortSignal;
}

/**
 * Runs a batch to an end for each of its messages. A call that fails as a whole is halved, in order, until what is bad
 * is alone: with one bad message among n that takes about 2·log2(n) further calls. What a function reports as failed
 * is taken at its word; what follows a failed message of the same key counts as not run.
 * @throws what the submitter throws for the first call; for later ones the rest counts as not run
 */
export async function runBatch(options: RunBatchOptions, batch: readonly Held[]): Promise<BatchEnd> {
  const end: BatchEnd = { succeeded: [], givenUp: [], failed: [], untried: [], expired: [] };
  const failedKeys = new Set<string>();
  let calls = 0;

  function hold(held: Held, list: Held[]): void {
    if (held.key !== undefined) failedKeys.add(held.key);
    list.push(held);
  }

  const isBehindFailure = ({ key }: Held): boolean => key !== undefined && failedKeys.has(key);

  function fail(held: Held, isLast: boolean): void {
    if (isLast) end.givenUp.push(held);
    else hold(held, end.failed);
  }

  /** Sorts a call's messages by what the function says of each; those it names have their next call alone. */
  function judge(part: readonly Held[], { result }: EventEnd): void {
    const reported = reportedFailures(result);
    const ids = new Set(part.map(({ message }) => message.id));
    const isKnown = reported !== "malformed" && reported.failed.every((id) => ids.has(id));
    const failed = new Set(isKnown ? reported.failed : ids);
    for (const held of part) {
      if (failed.has(held.message.id)) {
        held.alone = true;
        fail(held, false);
      } else if (isBehindFailure(held)) end.untried.push(held);
      else end.succeeded.push(held);
    }
  }

  async function run(wanted: readonly Held[]): Promise<void> {
    const part = wanted.filter((held) => !isBehindFailure(held));
    end.untried.push(...wanted.filter(isBehindFailure));
    const [first] = part;
    if (first === undefined) return;
    const bisects = options.source.bisect_on_error && part.length > 1;
    const isLast = !bisects && part.every(options.isLast);
    const ended = await call(part, isLast);
    if (ended === undefined) {
      end.untried.push(...part);
      return;
    }
    calls++;
    options.onEnd(ended);
    if (ended.isCancelled) end.succeeded.push(...part);
    else if (ended.error === undefined) judge(part, ended);
    else if (ended.error.type === "Expired" && !isLast) for (const held of part) hold(held, end.expired);
    else if (bisects) {
      const middle = Math.ceil(part.length / 2);
      await run(part.slice(0, middle));
      await run(part.slice(middle));
    } else for (const held of part) fail(held, isLast);
  }

  async function call(part: readonly Held[], isLast: boolean): Promise<EventEnd | undefined> {
    const { source, partition, submitter, signal } = options;
    try {
      return await submitter.run(
        source,
        {
          partition,
          messages: part.map(({ message }) => message),
          attempt: Math.max(...part.map(({ attempt }) => attempt)),
          tries: Math.max(...part.map(({ tries }) => tries)),
          isLast,
          // A last end is that of all of them: it is not to come before the youngest is too old as well.
          expiresAtMs: (isLast ? Math.max : Math.min)(...part.map(options.expiresAtMs)),
        },
        signal,
      );
    } catch (error) {
      // What has ended meanwhile must be said; the rest comes again, and meets the same failure first.
      if (calls === 0) throw error;
      return undefined;
    }
  }

  await run(batch);
  return end;
}

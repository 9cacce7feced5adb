import { type ActivationRecord, isTerminal, PlatformError } from "@sous/contract";
import type { SetTimer } from "@sous/codeq";
import type { Store, TerminalRecord } from "@sous/store";
import type { LiveActivation } from "../activations/live-activation.ts";
import type { LiveRegistry } from "../activations/live-registry.ts";
import { createEndCollector } from "./end-collector.ts";
import { bytesOfEnd, type Unwritten } from "./unwritten.ts";

const RETRY_MS = 1000;

export interface RecordWriterOptions {
  store: Pick<Store, "activations" | "logs">;
  live: LiveRegistry;
  unwritten: Unwritten;
  setTimer: SetTimer;
  /**
   * Ends held back for a store that takes none. Work is refused long before; what ends past it all the same is lost, and
   * counted.
   */
  heldMax: number;
  /** Whether queue and store share transactions: then an end and the end of its message are one. */
  isOneTransaction: boolean;
  /** Told of every record that was given up. */
  onLost: (record: TerminalRecord, error: PlatformError) => void;
}

/** Writes the ends of activations, and holds back what the store refuses until it takes it. */
export interface RecordWriter extends AsyncDisposable {
  /** Writes the terminal record and the log of an activation. Until it is on disk readers find it in the registry. */
  finish(ending: Ending): void;
}

export interface Ending {
  activation: LiveActivation;
  record: TerminalRecord;
  /** Whether another process may have written an end of it: the lease was lost. */
  isContested: boolean;
  /**
   * Takes the message out of the queue. Where queue and store share transactions it is called in the same tick; where
   * they do not, once the end is on disk, so that a message goes only when its end is kept.
   * @param recorded the record that stands: another one than `record` where somebody else's came first, and not
   * terminal where a later attempt is at work
   */
  remove(recorded: ActivationRecord): Promise<void>;
  /**
   * Called once: with the record that stands when it is on disk, or with why the store refused at first; the
   * record is then tried again until it is written.
   */
  written?: (recorded: ActivationRecord, error?: PlatformError) => void;
}

/** An end on its way to the disk by itself. */
interface Entry extends Pick<Ending, "activation" | "record" | "remove"> {
  /** Lines that are still to be written. */
  lines: readonly string[];
  /** What is counted of it until it is written. */
  bytes: number;
}

/** What became of a try: the record that stands, or why the store refused. */
type Written =
  | { recorded: ActivationRecord; error?: undefined }
  | { recorded?: undefined; error: PlatformError };

export function createRecordWriter(options: RecordWriterOptions): RecordWriter {
  const { store, live, unwritten, setTimer, heldMax, isOneTransaction, onLost } = options;
  const collector = createEndCollector(options);
  const held = new Set<Entry>();
  const open = new Set<Promise<unknown>>();
  let stopRetrying: (() => void) | undefined;

  function done({ activation, bytes }: Entry, recorded: ActivationRecord): void {
    if (!isTerminal(recorded.status)) activation.leave(recorded);
    else if (!activation.closed) activation.close(recorded as TerminalRecord);
    live.remove(activation);
    unwritten.done(1, bytes);
  }

  async function write(entry: Entry, removed?: Promise<void>): Promise<Written> {
    const { record, lines } = entry;
    const { tenant, activation_id: id } = record;
    const logs = lines.length > 0 ? store.logs.append(tenant, id, lines) : undefined;
    const finished = store.activations.finish(record).then((won) => (won ? record : standing(record)));
    const [ofLogs, ofRecord, ofMessage] = await Promise.allSettled([logs, finished, removed]);
    if (ofLogs.status === "fulfilled") entry.lines = [];
    if (ofLogs.status === "rejected" || ofRecord.status === "rejected") {
      hold(entry);
      return { error: storeError([ofRecord, ofLogs].find(isRejected)?.reason) };
    }
    held.delete(entry);
    done(entry, ofRecord.value);
    if (!isOneTransaction) track(entry.remove(ofRecord.value));
    return ofMessage.status === "rejected"
      ? { error: storeError(ofMessage.reason) }
      : { recorded: ofRecord.value };
  }

  /** @returns the record that came before this one, or this one where a try whose answer was lost had written it */
  async function standing(record: TerminalRecord): Promise<ActivationRecord> {
    const stored = await store.activations.get(record.tenant, record.activation_id);
    if (stored === undefined) return record;
    const isOwn =
      stored.status === record.status && stored.attempt === record.attempt && stored.end_ms === record.end_ms;
    return isOwn ? record : stored;
  }

  function track(work: Promise<unknown>): void {
    const settled = work.catch(() => {}).finally(() => open.delete(settled));
    open.add(settled);
  }

  function hold(entry: Entry): void {
    if (!held.has(entry) && held.size >= heldMax) {
      done(entry, entry.record);
      onLost(entry.record, new PlatformError("CS_STORE_UNAVAILABLE", "the store takes no records"));
      return;
    }
    held.add(entry);
    stopRetrying ??= setTimer(() => void retry(), RETRY_MS);
  }

  async function retry(): Promise<void> {
    await Promise.allSettled([...held].map((entry) => write(entry)));
    stopRetrying = held.size > 0 ? setTimer(() => void retry(), RETRY_MS) : undefined;
  }

  return {
    finish({ activation, record, isContested, remove, written }) {
      const { mode, strict, new_id, attempt } = activation.invocation;
      // What may have a record already, or is waited for, is written by itself.
      const isAlone =
        mode === "async" || strict || !new_id || attempt > 1 || isContested || written !== undefined;
      if (!isAlone && collector.add(record, activation.logs)) {
        live.remove(activation);
        remove(record).catch(() => {});
        return;
      }
      const { logs: lines } = activation;
      const entry = { record, activation, remove, lines, bytes: bytesOfEnd(record, lines) };
      unwritten.add(1, entry.bytes);
      const writing = write(entry, isOneTransaction ? remove(record) : undefined);
      track(writing.then(({ recorded = record, error }) => written?.(recorded, error)));
    },
    async [Symbol.asyncDispose]() {
      await collector[Symbol.asyncDispose]();
      stopRetrying?.();
      await Promise.all(open);
      await Promise.all([...held].map((entry) => write(entry)));
      stopRetrying?.();
      await Promise.all(open);
      const error = new PlatformError("CS_STORE_UNAVAILABLE", "the platform ended before the store took it");
      for (const { record } of held) onLost(record, error);
    },
  };
}

const isRejected = (result: PromiseSettledResult<unknown>): result is PromiseRejectedResult =>
  result.status === "rejected";

const storeError = (error: unknown): PlatformError =>
  error instanceof PlatformError
    ? error
    : new PlatformError("CS_STORE_WRITE_FAILED", "the record could not be written", { cause: error });

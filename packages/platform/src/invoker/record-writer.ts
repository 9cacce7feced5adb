import { PlatformError } from "@sous/contract";
import type { Store, TerminalRecord } from "@sous/store";
import type { LiveActivation } from "../activations/live-activation.ts";

const RETRY_MS = 1000;
/** Records held back for a store that takes none; what ends past it is lost, and counted. */
const HELD_MAX = 5000;

export interface RecordWriterOptions {
  store: Pick<Store, "activations" | "logs">;
  /** Told once of every activation: its record is on disk, or (with an error) given up. */
  onDone: (live: LiveActivation, record: TerminalRecord, error?: PlatformError) => void;
}

/** Writes the ends of activations, and holds back what the store refuses until it takes it. */
export interface RecordWriter extends AsyncDisposable {
  /**
   * Writes the terminal record and the log of an activation.
   * @param together issued in the same tick, and so part of the same transaction
   * @param written called once when all of it is on disk, or with why the store refused it at first; the
   * record is then tried again until it is written
   */
  finish(
    live: LiveActivation,
    record: TerminalRecord,
    together?: () => Promise<void>,
    written?: (error?: PlatformError) => void,
  ): void;
}

interface Held {
  record: TerminalRecord;
  /** Lines that are still to be written. */
  lines: readonly string[];
}

export function createRecordWriter(options: RecordWriterOptions): RecordWriter {
  const { store, onDone } = options;
  const held = new Map<LiveActivation, Held>();
  let timer: NodeJS.Timeout | undefined;

  /** The usual way: a record without a log, nobody waits. One promise, and no other allocation. */
  function writeRecord(
    live: LiveActivation,
    record: TerminalRecord,
    together: (() => Promise<void>) | undefined,
  ): void {
    const finished = store.activations.finish(record);
    together?.().catch(ignore);
    finished.then(
      () => onDone(live, record),
      () => hold(live, { record, lines: [] }),
    );
  }

  async function write(live: LiveActivation, { record, lines }: Held, together?: () => Promise<void>) {
    const { tenant, activation_id: id } = record;
    const logs = lines.length > 0 ? store.logs.append(tenant, id, lines) : undefined;
    const finished = store.activations.finish(record);
    const other = together?.();
    const [ofLogs, ofRecord, ofOther] = await Promise.allSettled([logs, finished, other]);
    if (ofLogs.status === "fulfilled" && ofRecord.status === "fulfilled") {
      held.delete(live);
      onDone(live, record);
    } else hold(live, { record, lines: ofLogs.status === "fulfilled" ? [] : lines });
    const failed = [ofRecord, ofLogs, ofOther].find((result) => result.status === "rejected");
    return failed === undefined ? undefined : storeError(failed.reason);
  }

  function hold(live: LiveActivation, entry: Held): void {
    if (!held.has(live) && held.size >= HELD_MAX) {
      onDone(live, entry.record, new PlatformError("CS_STORE_UNAVAILABLE", "the store takes no records"));
      return;
    }
    held.set(live, entry);
    timer ??= setTimeout(() => void retry(), RETRY_MS).unref();
  }

  async function retry(): Promise<void> {
    await Promise.allSettled([...held].map(([live, entry]) => write(live, entry)));
    timer = held.size > 0 ? setTimeout(() => void retry(), RETRY_MS).unref() : undefined;
  }

  return {
    finish(live, record, together, written) {
      if (written === undefined && live.logs.length === 0) writeRecord(live, record, together);
      else void write(live, { record, lines: live.logs }, together).then(written);
    },
    async [Symbol.asyncDispose]() {
      clearTimeout(timer);
      await Promise.allSettled([...held].map(([live, entry]) => write(live, entry)));
      clearTimeout(timer);
      const error = new PlatformError("CS_STORE_UNAVAILABLE", "the platform ended before the store took it");
      for (const [live, { record }] of held) onDone(live, record, error);
    },
  };
}

const ignore = (): void => {};

const storeError = (error: unknown): PlatformError =>
  error instanceof PlatformError
    ? error
    : new PlatformError("CS_STORE_WRITE_FAILED", "the record could not be written", { cause: error });

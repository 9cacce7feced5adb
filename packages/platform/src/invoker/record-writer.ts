import { PlatformError } from "@sous/contract";
import type { Store, TerminalRecord } from "@sous/store";
import type { LiveActivation } from "../activations/live-activation.ts";
import type { LiveRegistry } from "../activations/live-registry.ts";
import { createEndCollector } from "./end-collector.ts";
import { bytesOfEnd, type Unwritten } from "./unwritten.ts";

const RETRY_MS = 1000;
/** Records held back for a store that takes none. Work is refused long before; what ends past it all the same is lost, and counted. */
const HELD_MAX = 32_768;

export interface RecordWriterOptions {
  store: Pick<Store, "activations" | "logs">;
  live: LiveRegistry;
  unwritten: Unwritten;
  /** Told of every record that was given up. */
  onLost: (record: TerminalRecord, error: PlatformError) => void;
}

/** Writes the ends of activations, and holds back what the store refuses until it takes it. */
export interface RecordWriter extends AsyncDisposable {
  /**
   * Writes the terminal record and the log of an activation. Until it is on disk readers find it in the registry.
   * @param together issued in the same tick, and so part of the same transaction
   * @param written called once when all of it is on disk, or with why the store refused it at first; the
   * record is then tried again until it is written
   */
  finish(
    activation: LiveActivation,
    record: TerminalRecord,
    together: () => Promise<void>,
    written?: (error?: PlatformError) => void,
  ): void;
}

/** An end on its way to the disk by itself. */
interface Entry {
  record: TerminalRecord;
  activation: LiveActivation;
  /** Lines that are still to be written. */
  lines: readonly string[];
}

export function createRecordWriter(options: RecordWriterOptions): RecordWriter {
  const { store, live, unwritten, onLost } = options;
  const collector = createEndCollector(options);
  const held = new Set<Entry>();
  let retrier: NodeJS.Timeout | undefined;

  function done({ record, activation }: Entry): void {
    if (!activation.closed) activation.close(record);
    live.remove(activation);
    unwritten.done(1, bytesOfEnd(record));
  }

  async function write(entry: Entry, together?: () => Promise<void>): Promise<PlatformError | undefined> {
    const { record, lines } = entry;
    const { tenant, activation_id: id } = record;
    const logs = lines.length > 0 ? store.logs.append(tenant, id, lines) : undefined;
    const finished = store.activations.finish(record);
    const [ofLogs, ofRecord, ofOther] = await Promise.allSettled([logs, finished, together?.()]);
    if (ofLogs.status === "fulfilled") entry.lines = [];
    if (ofLogs.status === "fulfilled" && ofRecord.status === "fulfilled") {
      held.delete(entry);
      done(entry);
    } else hold(entry);
    const failed = [ofRecord, ofLogs, ofOther].find((result) => result.status === "rejected");
    return failed === undefined ? undefined : storeError(failed.reason);
  }

  function hold(entry: Entry): void {
    if (!held.has(entry) && held.size >= HELD_MAX) {
      done(entry);
      onLost(entry.record, new PlatformError("CS_STORE_UNAVAILABLE", "the store takes no records"));
      return;
    }
    held.add(entry);
    retrier ??= setTimeout(() => void retry(), RETRY_MS).unref();
  }

  async function retry(): Promise<void> {
    await Promise.allSettled([...held].map((entry) => write(entry)));
    retrier = held.size > 0 ? setTimeout(() => void retry(), RETRY_MS).unref() : undefined;
  }

  return {
    finish(activation, record, together, written) {
      const { mode, strict, new_id, attempt } = activation.invocation;
      // What may have a record already, or is waited for, is written by itself.
      const isAlone = mode === "async" || strict || !new_id || attempt > 1 || written !== undefined;
      if (!isAlone && collector.add(record, activation.logs)) {
        live.remove(activation);
        together().catch(() => {});
        return;
      }
      const entry = { record, activation, lines: activation.logs };
      unwritten.add(1, bytesOfEnd(record));
      void write(entry, together).then(written);
    },
    async [Symbol.asyncDispose]() {
      await collector[Symbol.asyncDispose]();
      clearTimeout(retrier);
      await Promise.allSettled([...held].map((entry) => write(entry)));
      clearTimeout(retrier);
      const error = new PlatformError("CS_STORE_UNAVAILABLE", "the platform ended before the store took it");
      for (const { record } of held) onLost(record, error);
    },
  };
}

const storeError = (error: unknown): PlatformError =>
  error instanceof PlatformError
    ? error
    : new PlatformError("CS_STORE_WRITE_FAILED", "the record could not be written", { cause: error });

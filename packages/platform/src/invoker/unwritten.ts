import type { TerminalRecord } from "@sous/store";

/** Bytes of their results, errors and logs, about. */
const BYTES_MAX = 128 * 1024 * 1024;

export interface UnwrittenOptions {
  /** Called when there is room again. */
  onRoom: () => void;
  /** Ends that may wait for the store before no more work is taken. */
  endsMax: number;
  /** (128 MiB) */
  bytesMax?: number;
}

/**
 * Counts the ends that are not on disk yet. An invoker whose store takes none goes on until so many wait, then takes no
 * more work: what ends without a record would be dropped silently.
 */
export interface Unwritten {
  /** Whether no more work should be taken. */
  readonly isFull: boolean;
  add(ends: number, bytes: number): void;
  done(ends: number, bytes: number): void;
  /** Waits until all are on disk, for so long at most. */
  settled(timeoutMs: number): Promise<void>;
}

export function createUnwritten(options: UnwrittenOptions): Unwritten {
  const { onRoom, endsMax, bytesMax = BYTES_MAX } = options;
  let ends = 0;
  let bytes = 0;
  let full = false;
  let whenSettled: (() => void) | undefined;
  return {
    get isFull() {
      return full;
    },
    add(moreEnds, moreBytes) {
      ends += moreEnds;
      bytes += moreBytes;
      full ||= ends >= endsMax || bytes >= bytesMax;
    },
    done(lessEnds, lessBytes) {
      ends -= lessEnds;
      bytes -= lessBytes;
      if (ends === 0) whenSettled?.();
      // Half of it: one at a time in and out would wake the queue for each.
      if (!full || ends > endsMax / 2 || bytes > bytesMax / 2) return;
      full = false;
      onRoom();
    },
    async settled(timeoutMs) {
      if (ends === 0) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      whenSettled = resolve;
      const timer = setTimeout(resolve, timeoutMs);
      await promise;
      clearTimeout(timer);
    },
  };
}

/** @returns about how much memory an end takes beside its fields: what the function gave, said and failed with */
export function bytesOfEnd({ result, error }: TerminalRecord, lines: readonly string[]): number {
  let bytes = (result?.body.length ?? 0) + (error?.message.length ?? 0) + (error?.stack?.length ?? 0);
  for (const cookie of result?.cookies ?? []) bytes += cookie.length;
  for (const line of lines) bytes += line.length;
  return bytes;
}

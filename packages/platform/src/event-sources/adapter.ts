import type { EventSourceRecord } from "@sous/contract";
import type { Sleep } from "./sleep.ts";

/** One message of a source, as every adapter gives it. */
export interface SourceMessage {
  /** The same whenever the source gives the message again. */
  id: string;
  /** Messages with one key run in order; absent where order does not matter. */
  key?: string;
  /** When it came into being, epoch milliseconds; absent where the source does not know. */
  atMs?: number;
  /** How often the source has given it, this time counted. */
  attempt: number;
  /** How many functions called one another up to it (0). */
  depth?: number;
  traceparent?: string;
  /** The activation that published it, or whose end it tells. */
  publishedBy?: string;
  /** What the function gets of it: JSON text. */
  json: string;
  /** What filters and `ordering_key` look at. */
  match: unknown;
}

/** How much waits, where the source can tell. */
export interface Lag {
  count: number | null;
  ageMs: number | null;
}

/**
 * A part of a source that one process reads at a time: a shard, or all of a queue. Methods throw what they like; the
 * framework says it in the source's status, waits and tries again.
 */
export interface Partition extends AsyncDisposable {
  /**
   * @param room how many messages at most; a few more do no harm
   * @param signal ends the wait
   * @returns what there is, or nothing after some seconds at most
   */
  receive(room: number, signal: AbortSignal): Promise<SourceMessage[]>;
  /** These have ended, well or for good; they are not given again. In the order of their ends. */
  done(messages: readonly SourceMessage[]): Promise<void>;
  /** Keeps messages that have not ended from being given to others; called every `holdEveryMs`. */
  hold?(messages: readonly SourceMessage[]): Promise<void>;
  readonly holdEveryMs?: number;
  /** These have not been run; they are given again after `delayMs`, to whoever asks. */
  giveBack?(messages: readonly SourceMessage[], delayMs: number): Promise<void>;
  lag?(): Promise<Lag>;
  /** Whether it was read to its end and will never have more; asked when nothing is in flight. */
  isAtEnd?(): boolean;
}

export interface PartitionInfo {
  id: string;
  /** Read to their ends before this one begins. */
  parents: readonly string[];
}

/** How far a partition has been worked off. */
export interface Checkpoint {
  /** The adapter's own words; `null` before the first. */
  position: string | null;
  /** The partition is through, and will never have more. */
  ended: boolean;
}

/** Keeps the checkpoint of one partition. */
export interface CheckpointKeeper {
  readonly read: Checkpoint;
  /** @throws CS_CONFLICT when another process reads the partition now */
  write(checkpoint: Checkpoint): Promise<void>;
}

/** A source of one kind, as its binding says. */
export interface SourceAdapter extends AsyncDisposable {
  /** The partitions there are now. */
  partitions(): Promise<readonly PartitionInfo[]>;
  open(partition: string, checkpoint: CheckpointKeeper): Promise<Partition>;
}

/** What adapters are made with. */
export interface AdapterContext {
  source: EventSourceRecord;
  /** @returns the value of a secret of the source's namespace. @throws CS_SECRET_NOT_FOUND */
  secret(name: string): Promise<string>;
  clock: () => number;
  sleep: Sleep;
  /** Name of this process among the others. */
  holder: string;
}

/** The only partition of what has none. */
export const WHOLE: readonly PartitionInfo[] = [{ id: "all", parents: [] }];

import type { EventSourceRecord } from "@sous/contract";
import type { Store } from "@sous/store";
import type { AdapterContext, SourceAdapter, SourceMessage } from "../adapter.ts";

/** What is put into a source, and found again in its messages. */
export interface Numbered {
  n: number;
  key: string;
}

/** A source of its own on a real server, empty, with what a test does to it from the other side. */
export interface SourceWorld extends AsyncDisposable {
  /** The binding, as far as the adapter looks at it; `ordering_key` where the source has no keys itself. */
  readonly source: Partial<EventSourceRecord>;
  open(context: AdapterContext): Promise<SourceAdapter>;
  /** Puts messages there in this order, past any outage. */
  put(messages: readonly Numbered[]): Promise<void>;
  /** @returns what was put, of a message */
  read(message: SourceMessage): Numbered;
  /** Makes the source unreachable, or reachable again; absent where it is a part of the platform itself. */
  reachable?(on: boolean): void;
}

/** What a kind of source promises beyond the rest. */
export interface SourceTraits {
  /** Messages of one key come in the order they were put. */
  ordered: boolean;
  /** It is a server of its own, which can be out of reach. */
  remote: boolean;
  /** The source hides what it gave for so long, milliseconds, and the adapter prolongs it; absent where leases do that. */
  hidesMs?: number;
}

const KEYS = ["a", "b"];

/** @returns so many, in turn of two keys */
export const numbered = (count: number, from = 0): Numbered[] =>
  Array.from({ length: count }, (_, at) => ({ n: from + at, key: KEYS[at % KEYS.length] ?? "" }));

/** @returns the numbers of messages in ascending order */
export const sortedNumbers = (messages: readonly Numbered[]): number[] =>
  messages.map(({ n }) => n).toSorted((a, b) => a - b);

/** A binding with every field that has a default. */
export const SOURCE: EventSourceRecord = {
  tenant: "t_default",
  namespace: "default",
  name: "orders",
  uid: "00000000-0000-4000-8000-000000000000",
  type: "codeq",
  ref: { function: "work" },
  batch_size: 1,
  batch_window_ms: 0,
  filters: [],
  parallelism: 1,
  bisect_on_error: true,
  retry: { max_attempts: 5, backoff_ms: 10, backoff_max_ms: 50 },
  max_record_age_ms: 3_600_000,
  start_position: "trim_horizon",
  enabled: true,
  created_at_ms: 0,
  updated_at_ms: 0,
};

export const recordOf = (world: SourceWorld, over: Partial<EventSourceRecord> = {}): EventSourceRecord => ({
  ...SOURCE,
  ...world.source,
  ...over,
});

/** Declares one test of the contract, on an empty source of its own. */
export type Check = (what: string, run: (world: SourceWorld, store: Store) => Promise<void>) => void;

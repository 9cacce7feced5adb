import type { EventSourceRecord, EventSourceStatus } from "@sous/contract";
import type { Lag } from "./adapter.ts";

const MESSAGE_LENGTH_MAX = 2000;

/** What becomes of messages, each counted when it happens. */
export type MessageOutcome = "received" | "filtered" | "succeeded" | "failed";

/** What is told of the work of event sources, for metrics. */
export interface EventSourceMeter {
  /** So many messages were read, dropped by filters, ended well, or given up. */
  count(source: EventSourceRecord, outcome: MessageOutcome, messages: number): void;
  /** A source, or the way to it or to its function, failed; it is tried again. */
  fault(source: EventSourceRecord, error: unknown): void;
}

/** How one source goes, gathered over its partitions. */
export class SourceProgress {
  readonly #source: EventSourceRecord;
  readonly #meter: EventSourceMeter;
  readonly #clock: () => number;
  readonly #counts = { received: 0, filtered: 0, succeeded: 0, failed: 0 };
  readonly #lags = new Map<string, Lag>();
  /** What goes wrong now, by where. */
  readonly #troubles = new Map<string, "waiting" | "failing">();
  readonly #inFlight = new Map<string, number>();
  #lastError: EventSourceStatus["last_error"] = null;
  #lastActivationId: string | null = null;
  #begun = false;

  constructor(source: EventSourceRecord, meter: EventSourceMeter, clock: () => number) {
    this.#source = source;
    this.#meter = meter;
    this.#clock = clock;
  }

  add(outcome: MessageOutcome, messages: number): void {
    if (messages === 0) return;
    this.#counts[outcome] += messages;
    this.#meter.count(this.#source, outcome, messages);
  }

  /** @param place what failed; it counts as failing until `well` is called with the same */
  trouble(place: string, kind: "waiting" | "failing", error: unknown): void {
    const isNew = this.#troubles.get(place) !== kind;
    this.#troubles.set(place, kind);
    const message = (error instanceof Error ? error.message : String(error)).slice(0, MESSAGE_LENGTH_MAX);
    this.#lastError = { at_ms: this.#clock(), message };
    if (isNew || kind === "failing") this.#meter.fault(this.#source, error);
  }

  /** Says that what failed works again. */
  well(place: string): void {
    this.#begun = true;
    this.#troubles.delete(place);
  }

  ended(activationId: string): void {
    this.#lastActivationId = activationId;
  }

  opened(partition: string): void {
    this.#inFlight.set(partition, 0);
  }

  closed(partition: string): void {
    this.#inFlight.delete(partition);
    this.#lags.delete(partition);
    for (const place of this.#troubles.keys())
      if (place.startsWith(`${partition}:`)) this.#troubles.delete(place);
  }

  inFlight(partition: string, messages: number): void {
    this.#inFlight.set(partition, messages);
  }

  lag(partition: string, lag: Lag): void {
    this.#lags.set(partition, lag);
  }

  snapshot(): EventSourceStatus {
    const kinds = new Set(this.#troubles.values());
    const lags = [...this.#lags.values()];
    const counts = lags.flatMap(({ count }) => (count === null ? [] : [count]));
    const ages = lags.flatMap(({ ageMs }) => (ageMs === null ? [] : [ageMs]));
    return {
      state: kinds.has("failing")
        ? "failing"
        : kinds.has("waiting")
          ? "waiting"
          : this.#begun
            ? "running"
            : "starting",
      lag: counts.length === 0 ? null : counts.reduce((sum, count) => sum + count, 0),
      lag_ms: ages.length === 0 ? null : Math.max(0, Math.round(Math.max(...ages))),
      in_flight: [...this.#inFlight.values()].reduce((sum, count) => sum + count, 0),
      partitions: this.#inFlight.size,
      ...this.#counts,
      last_error: this.#lastError,
      last_activation_id: this.#lastActivationId,
      updated_at_ms: this.#clock(),
    };
  }
}

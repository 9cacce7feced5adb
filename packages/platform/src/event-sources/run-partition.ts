import { type EventSourceRecord, LIMITS, PlatformError } from "@sous/contract";
import type { Filter } from "../events/filter-pattern.ts";
import type { Partition, SourceMessage } from "./adapter.ts";
import { type Held, MessageBuffer } from "./message-buffer.ts";
import { keyOf } from "./ordering-key.ts";
import { type BatchEnd, runBatch } from "./run-batch.ts";
import { backoffMs, type Sleep } from "./sleep.ts";
import type { SourceProgress } from "./source-progress.ts";
import type { EventSubmitter } from "./submit-events.ts";

/** Messages of a partition that are read ahead, in batches for each call that may run, and in all. */
const BATCHES_AHEAD = 2;
const HELD_MIN = 10;
const HELD_MAX = 5000;
/** Pauses after failures, milliseconds: of the source, and of the way to the function. */
const SOURCE_PAUSE_MS = 500;
const SOURCE_PAUSE_MAX_MS = 60_000;
const QUEUE_PAUSE_MS = 200;
const QUEUE_PAUSE_MAX_MS = 10_000;
/** Before what was not run is tried again. */
const UNTRIED_PAUSE_MS = 250;
const DONE_TRIES = 5;
/**
 * Deliveries that are not held against a message. A source counts what was read ahead and given back unrun as well;
 * the attempts that were made are known by their records, which answer when their calls are made again.
 */
const UNRUN_DELIVERIES = 20;
const LAG_EVERY_MS = 5000;

export interface RunPartitionOptions {
  source: EventSourceRecord;
  partitionId: string;
  partition: Partition;
  filter: Filter;
  submitter: EventSubmitter;
  progress: SourceProgress;
  /** How many functions may call one another (`budgets.depth_max`). */
  depthMax: number;
  clock: () => number;
  random: () => number;
  sleep: Sleep;
  /** Ends reading; what runs is waited for. */
  stop: AbortSignal;
  /** Ends the waiting too. */
  abandon: AbortSignal;
}

/**
 * Works a partition off until it is stopped or through: reads as far ahead as there is room, runs up to `parallelism`
 * calls at a time, ends messages as their calls end. The room is the back-pressure: while the function's queue is
 * full its calls wait, and the source is not read.
 * @returns whether the partition was read to its end
 */
export async function runPartition(options: RunPartitionOptions): Promise<boolean> {
  const worker = new PartitionWorker(options);
  try {
    return await worker.read();
  } finally {
    await worker.close();
  }
}

class PartitionWorker {
  readonly #options: RunPartitionOptions;
  readonly #buffer: MessageBuffer;
  readonly #out = new Set<Held>();
  readonly #running = new Set<Promise<void>>();
  readonly #room: number;
  readonly #over = new AbortController();
  readonly #timers: NodeJS.Timeout[] = [];
  #ask: NodeJS.Timeout | undefined;
  #changed = Promise.withResolvers<void>();
  #noMore = false;
  #places = 0;

  constructor(options: RunPartitionOptions) {
    this.#options = options;
    const { batch_size, batch_window_ms, parallelism, retry } = options.source;
    this.#buffer = new MessageBuffer({
      size: batch_size,
      bytes: LIMITS.eventBatchBytesMax,
      windowMs: batch_window_ms,
      attemptsMax: retry.max_attempts,
    });
    this.#room = Math.min(HELD_MAX, Math.max(HELD_MIN, batch_size * parallelism * BATCHES_AHEAD));
    const { partition } = options;
    if (partition.hold !== undefined) this.#every(partition.holdEveryMs ?? 10_000, () => this.#hold());
    if (partition.lag !== undefined) {
      this.#every(LAG_EVERY_MS, () => this.#look());
      void this.#look();
    }
    options.stop.addEventListener("abort", () => void this.#change(), { once: true });
  }

  async read(): Promise<boolean> {
    const { partition, partitionId, progress, stop, sleep, random } = this.#options;
    const place = `${partitionId}:source`;
    for (let failures = 0; !stop.aborted;) {
      const room = this.#room - this.#buffer.size;
      if (room <= 0 || this.#noMore) {
        if (this.#noMore && this.#buffer.size === 0) return true;
        await this.#change();
        continue;
      }
      try {
        const messages = await partition.receive(room, stop);
        failures = 0;
        progress.well(place);
        this.#noMore = messages.length === 0 && partition.isAtEnd?.() === true;
        await this.#admit(messages);
      } catch (error) {
        if (stop.aborted) break;
        progress.trouble(place, "failing", error);
        await sleep(backoffMs(++failures, SOURCE_PAUSE_MS, SOURCE_PAUSE_MAX_MS, random), stop);
      }
      this.#pump();
    }
    return false;
  }

  /** Waits for what runs; what waits is given back. */
  async close(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
    this.#over.abort();
    clearTimeout(this.#ask);
    for (const timer of this.#timers) clearInterval(timer);
    const left = this.#buffer.remove(() => true).map(({ message }) => message);
    if (left.length > 0) await this.#options.partition.giveBack?.(left, 0).catch(() => {});
  }

  /** Resolves with the next change; every change lets all go who wait. */
  #change(): Promise<void> {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
    return this.#changed.promise;
  }

  async #admit(messages: readonly SourceMessage[]): Promise<void> {
    const { source, filter, progress, depthMax, clock } = this.#options;
    const nowMs = clock();
    progress.add("received", messages.length);
    const dropped: SourceMessage[] = [];
    const tooDeep: SourceMessage[] = [];
    for (const message of messages) {
      if (!filter(message.match)) {
        dropped.push(message);
        continue;
      }
      if ((message.depth ?? 0) >= depthMax) {
        tooDeep.push(message);
        continue;
      }
      const held: Held = {
        message,
        place: this.#places++,
        key: keyOf(source, message),
        bytes: message.json.length,
        readAtMs: nowMs,
        attempt: Math.max(1, message.attempt - UNRUN_DELIVERIES),
        // Where the source counts attempts, each delivery is to run.
        tries: source.retry.max_attempts === 0 ? message.attempt : 1,
        alone: false,
        dueAtMs: 0,
      };
      this.#judgeAge(held, nowMs);
      this.#buffer.add(held);
    }
    progress.add("filtered", dropped.length);
    // Only now: what these have to wait for keeps no other message from being held.
    await this.#done(dropped);
    for (const message of tooDeep) await this.#refuse(message);
  }

  #expiresAtMs({ message, readAtMs }: Held): number {
    return (message.atMs ?? readAtMs) + this.#options.source.max_record_age_ms;
  }

  /** What is too old ends by itself, as its last attempt. */
  #judgeAge(held: Held, nowMs: number): void {
    if (nowMs < this.#expiresAtMs(held)) return;
    held.attempt = Math.max(held.attempt, this.#options.source.retry.max_attempts);
    held.alone = true;
  }

  /** Ends a message at the end of a chain of functions that is too long; while its record is refused it is tried again. */
  async #refuse(message: SourceMessage): Promise<void> {
    const { source, partitionId, submitter, progress, depthMax, sleep, random, stop } = this.#options;
    const text = `more than ${depthMax} functions called one another up to here: end the circle, or raise budgets.depth_max`;
    for (let failures = 0; !stop.aborted;) {
      try {
        await submitter.refuse(source, partitionId, message, text);
        progress.add("failed", 1);
        await this.#done([message]);
        return;
      } catch (error) {
        this.#note(error);
        await sleep(backoffMs(++failures, SOURCE_PAUSE_MS, SOURCE_PAUSE_MAX_MS, random), stop);
      }
    }
  }

  #pump(): void {
    const { source, stop, clock, progress, partitionId } = this.#options;
    clearTimeout(this.#ask);
    while (this.#running.size < source.parallelism && !stop.aborted) {
      const taken = this.#buffer.take(clock(), this.#noMore);
      if ("askAtMs" in taken) {
        if (taken.askAtMs === Infinity) break;
        this.#ask = setTimeout(() => this.#pump(), Math.max(1, taken.askAtMs - clock())).unref();
        break;
      }
      const { batch } = taken;
      for (const held of batch) this.#out.add(held);
      const work = this.#work(batch).finally(() => {
        for (const held of batch) this.#out.delete(held);
        this.#running.delete(work);
        this.#pump();
        void this.#change();
      });
      this.#running.add(work);
    }
    progress.inFlight(partitionId, this.#buffer.size);
  }

  async #work(batch: readonly Held[]): Promise<void> {
    const { source, partitionId, submitter, progress, sleep, random, stop, abandon } = this.#options;
    const place = `${partitionId}:function`;
    for (let failures = 0; ;) {
      try {
        const end = await runBatch(
          {
            source,
            partition: partitionId,
            submitter,
            isLast: (held) => this.#buffer.isLast(held),
            expiresAtMs: (held) => this.#expiresAtMs(held),
            onEnd: ({ activationId }) => {
              progress.well(place);
              progress.ended(activationId);
            },
            signal: abandon,
          },
          batch,
        );
        await this.#settle(end);
        return;
      } catch (error) {
        const isFull = error instanceof PlatformError && error.code === "CS_QUEUE_FULL";
        progress.trouble(place, isFull ? "waiting" : "failing", error);
        await sleep(backoffMs(++failures, QUEUE_PAUSE_MS, QUEUE_PAUSE_MAX_MS, random) + 1, stop);
        if (!stop.aborted) continue;
        this.#buffer.putBack(batch);
        return;
      }
    }
  }

  async #settle({ succeeded, givenUp, failed, untried, expired }: BatchEnd): Promise<void> {
    const { source, progress, clock, random, partition } = this.#options;
    const ended = [...succeeded, ...givenUp];
    progress.add("succeeded", succeeded.length);
    progress.add("failed", givenUp.length);
    await this.#done(ended.map(({ message }) => message));
    this.#buffer.end(ended);
    const { backoff_ms, backoff_max_ms, max_attempts } = source.retry;
    const nowMs = clock();
    if (max_attempts === 0 && partition.giveBack !== undefined) {
      await this.#leaveToSource([...failed, ...expired], untried);
      return;
    }
    for (const held of failed) {
      held.dueAtMs = nowMs + backoffMs(held.attempt, backoff_ms, backoff_max_ms, random);
      held.attempt = Math.min(held.attempt + 1, Math.max(max_attempts, held.attempt));
      held.tries++;
      held.alone ||= source.bisect_on_error;
    }
    for (const held of untried) held.dueAtMs = nowMs + UNTRIED_PAUSE_MS;
    for (const held of expired) {
      // It was not run, so that no attempt is over; the call that ended is over for good.
      held.dueAtMs = nowMs + UNTRIED_PAUSE_MS + backoffMs(held.tries, backoff_ms, backoff_max_ms, random);
      held.tries++;
      this.#judgeAge(held, nowMs);
    }
    this.#buffer.putBack([...failed, ...untried, ...expired]);
  }

  /** The source counts attempts itself, and knows what to do with too many. */
  async #leaveToSource(failed: Held[], untried: Held[]): Promise<void> {
    const { source, clock, random, partition } = this.#options;
    const { backoff_ms, backoff_max_ms } = source.retry;
    const keys = new Set(failed.flatMap(({ key }) => (key === undefined ? [] : [key])));
    this.#buffer.end(failed);
    for (const held of untried) held.dueAtMs = clock() + UNTRIED_PAUSE_MS;
    this.#buffer.putBack(untried);
    const behind = this.#buffer.remove(({ key }) => key !== undefined && keys.has(key));
    for (const { attempt, message } of failed) {
      const delayMs = backoffMs(attempt, backoff_ms, backoff_max_ms, random);
      await partition.giveBack?.([message], delayMs).catch((error: unknown) => this.#note(error));
    }
    if (behind.length === 0) return;
    await partition
      .giveBack?.(
        behind.map(({ message }) => message),
        0,
      )
      .catch((error: unknown) => this.#note(error));
  }

  /** Says to the source what has ended. What it does not hear comes again, and is answered from its record. */
  async #done(messages: readonly SourceMessage[]): Promise<void> {
    if (messages.length === 0) return;
    const { partition, sleep, random, abandon } = this.#options;
    for (let tries = 1; ; tries++) {
      try {
        await partition.done(messages);
        return;
      } catch (error) {
        this.#note(error);
        if (tries >= DONE_TRIES || abandon.aborted) return;
        await sleep(backoffMs(tries, SOURCE_PAUSE_MS, SOURCE_PAUSE_MAX_MS, random), abandon);
      }
    }
  }

  async #hold(): Promise<void> {
    const held = [...this.#buffer.waiting, ...this.#out].map(({ message }) => message);
    if (held.length > 0) await this.#options.partition.hold?.(held);
  }

  async #look(): Promise<void> {
    const { partition, partitionId, progress } = this.#options;
    const lag = await partition.lag?.().catch(() => undefined);
    if (lag !== undefined && !this.#over.signal.aborted) progress.lag(partitionId, lag);
  }

  #note(error: unknown): void {
    const { progress, partitionId } = this.#options;
    progress.trouble(`${partitionId}:source`, "failing", error);
  }

  #every(ms: number, run: () => Promise<void>): void {
    this.#timers.push(setInterval(() => void run().catch((error: unknown) => this.#note(error)), ms).unref());
  }
}

import { type EventSourceRecord, PlatformError } from "@sous/contract";
import type { ResourceStore, StoredResource } from "@sous/store";
import { EVENT_SOURCE_KIND, readEventSource, STATUS_KIND } from "../events/event-resources.ts";
import type { SourceAdapter } from "./adapter.ts";
import type { PartitionLeases } from "./partition-leases.ts";
import { runSource } from "./run-source.ts";
import type { Sleep } from "./sleep.ts";
import { type EventSourceMeter, SourceProgress } from "./source-progress.ts";
import type { EventSubmitter } from "./submit-events.ts";

/** How often how sources go is written down, milliseconds. */
const STATUS_MS = 1000;
/** Between two looks for the sources there are, also when they are wanted at once: milliseconds, and times the last one took. */
const LOOK_PAUSE_MS = 25;
const LOOK_PAUSE_TIMES = 10;
const PAGE = 500;
const STATUS_MAX = 1_000_000;

export interface EventSourcesOptions {
  resources: ResourceStore;
  leases: PartitionLeases;
  submitter: EventSubmitter;
  /** Makes the adapter of a source's type. */
  openAdapter: (source: EventSourceRecord) => Promise<SourceAdapter>;
  meter: EventSourceMeter;
  /** Hears which sources there are, each time they are looked for. */
  onSources: (sources: readonly EventSourceRecord[]) => void;
  /** How often the sources there are are looked for, milliseconds. */
  refreshMs: number;
  depthMax: number;
  clock: () => number;
  random: () => number;
  sleep: Sleep;
  /** Hears of looks and writes that failed. */
  onFault: (error: unknown) => void;
}

/** The pollers of all event sources that this process has a share in. */
export interface EventSources extends AsyncDisposable {
  /** Says that sources changed. */
  wake(): void;
  /** @returns whether `onSources` has heard of the sources of a look that began after this call; `false` where it failed */
  looked(): Promise<boolean>;
  /** Reads no more; waits until what runs has ended, at most `timeoutMs`. */
  drain(timeoutMs: number): Promise<void>;
  /** How each source goes that this process reads. */
  progress(): Iterable<readonly [EventSourceRecord, SourceProgress]>;
}

interface Running {
  source: EventSourceRecord;
  generation: number;
  progress: SourceProgress;
  stop: AbortController;
  done: Promise<void>;
}

/**
 * Makes the service. Every few seconds, and when somebody says so, it compares the sources there are with those it
 * reads: new ones begin, changed ones begin anew, disabled and deleted ones end. Each source is on its own: what is slow
 * or fails in one holds up no other.
 */
export function createEventSources(options: EventSourcesOptions): EventSources {
  const { resources, refreshMs, sleep, clock, onFault, meter } = options;
  const running = new Map<string, Running>();
  const ending = new Set<Promise<void>>();
  const closing = new AbortController();
  const abandon = new AbortController();
  let nap = new AbortController();
  let next = Promise.withResolvers<boolean>();

  async function all(): Promise<StoredResource[]> {
    const found: StoredResource[] = [];
    let cursor: string | undefined;
    do {
      const page = await resources.all(EVENT_SOURCE_KIND, { limit: PAGE, cursor });
      found.push(...page.items);
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
    return found;
  }

  function begin(source: EventSourceRecord, generation: number, after: Promise<void> | undefined): void {
    const progress = new SourceProgress(source, meter, clock);
    const stop = new AbortController();
    const done = (after ?? Promise.resolve())
      .then(() => runSource({ ...options, source, progress, stop: stop.signal, abandon: abandon.signal }))
      .catch(onFault);
    running.set(source.uid, { source, generation, progress, stop, done });
  }

  function end({ source, stop, done }: Running): Promise<void> {
    running.delete(source.uid);
    stop.abort();
    const ended = done.finally(() => ending.delete(ended));
    ending.add(ended);
    return ended;
  }

  async function look(): Promise<void> {
    const wanted = (await all()).map(readEventSource);
    if (closing.signal.aborted) return;
    options.onSources(wanted.map(({ record }) => record));
    const enabled = new Map(
      wanted.filter(({ record }) => record.enabled).map((each) => [each.record.uid, each]),
    );
    for (const each of running.values()) if (!enabled.has(each.source.uid)) void end(each);
    for (const { record, generation } of enabled.values()) {
      const before = running.get(record.uid);
      if (before?.generation === generation) continue;
      begin(record, generation, before === undefined ? undefined : end(before));
    }
  }

  async function watch(): Promise<void> {
    while (!closing.signal.aborted) {
      nap = new AbortController();
      const { resolve } = next;
      next = Promise.withResolvers();
      const begunMs = clock();
      const isDone = await look().then(
        () => true,
        (error: unknown) => {
          onFault(error);
          return false;
        },
      );
      resolve(isDone);
      await sleep(Math.max(LOOK_PAUSE_MS, LOOK_PAUSE_TIMES * (clock() - begunMs)), closing.signal);
      await sleep(refreshMs, AbortSignal.any([nap.signal, closing.signal]));
    }
    next.resolve(false);
  }

  /** Writes down how sources go, those that this process reads; of each what changed. */
  async function report(): Promise<void> {
    const told = new Map<string, string>();
    while (!closing.signal.aborted) {
      await sleep(STATUS_MS, closing.signal);
      for (const { source, progress } of running.values()) {
        const status = progress.snapshot();
        const text = JSON.stringify({ ...status, updated_at_ms: 0 });
        // Of a source that others read there is nothing to say, unless it cannot be read.
        const isOurs = status.partitions > 0 || status.state === "failing";
        if (!isOurs || told.get(source.uid) === text) continue;
        await writeStatus(resources, source, JSON.stringify(status)).then(
          () => told.set(source.uid, text),
          onFault,
        );
      }
    }
  }

  const watching = watch();
  const reporting = report();

  async function drain(timeoutMs: number): Promise<void> {
    closing.abort();
    await Promise.all([watching, reporting]);
    for (const each of running.values()) void end(each);
    const late = setTimeout(() => abandon.abort(), timeoutMs);
    await Promise.all(ending);
    clearTimeout(late);
  }

  return {
    wake: () => nap.abort(),
    looked() {
      if (closing.signal.aborted) return Promise.resolve(false);
      nap.abort();
      return next.promise;
    },
    drain,
    *progress() {
      for (const { source, progress } of running.values()) yield [source, progress] as const;
    },
    async [Symbol.asyncDispose]() {
      await drain(0);
      await options.leases[Symbol.asyncDispose]();
    },
  };
}

async function writeStatus(resources: ResourceStore, source: EventSourceRecord, json: string): Promise<void> {
  const { tenant, namespace, name } = source;
  const key = { tenant, namespace, name };
  const stored = await resources.get(STATUS_KIND, key);
  try {
    if (stored === undefined) await resources.create(STATUS_KIND, key, json, STATUS_MAX);
    else await resources.replace(STATUS_KIND, key, stored.generation, json);
  } catch (error) {
    // Another process was quicker, and its word is as good.
    if (!(error instanceof PlatformError) || error.code !== "CS_CONFLICT") throw error;
  }
}

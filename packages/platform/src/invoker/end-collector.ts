import { PlatformError } from "@sous/contract";
import { EndedGroup, type Store, type TerminalRecord } from "@sous/store";
import type { LiveRegistry } from "../activations/live-registry.ts";
import { bytesOfEnd, type Unwritten } from "./unwritten.ts";

/** How long an end waits for others before they are written together. */
const COLLECT_MS = 20;
/** Ends that go together at most. */
const COLLECTED_MAX = 512;
const RETRY_MS = 1000;

export interface EndCollectorOptions {
  store: Pick<Store, "activations">;
  live: LiveRegistry;
  unwritten: Unwritten;
  /** Ends held back for a store that takes none; what comes past it all the same is lost, and told. */
  heldMax: number;
  /** Told of every record that was given up. */
  onLost: (record: TerminalRecord, error: PlatformError) => void;
}

/** Collects ends that nobody waits for, and writes them in groups; a refused group is tried again until it is written. */
export interface EndCollector extends AsyncDisposable {
  /** @returns `false` when this end has to be written by itself */
  add(record: TerminalRecord, lines: readonly string[]): boolean;
}

export function createEndCollector(options: EndCollectorOptions): EndCollector {
  const { store, live, unwritten, heldMax, onLost } = options;
  let group = new EndedGroup();
  /** Of the results of groups that are not written. */
  const bytes = new WeakMap<EndedGroup, number>();
  let groupBytes = 0;
  let collector: NodeJS.Timeout | undefined;
  let writing: Promise<unknown> = Promise.resolve();
  let held: EndedGroup[] = [];
  let retrier: NodeJS.Timeout | undefined;

  function flush(): void {
    clearTimeout(collector);
    collector = undefined;
    if (group.size === 0) return;
    const full = group;
    bytes.set(full, groupBytes);
    group = new EndedGroup();
    groupBytes = 0;
    writing = write(full);
  }

  async function write(full: EndedGroup): Promise<void> {
    try {
      await store.activations.append(full);
      release(full);
    } catch {
      hold(full);
    }
  }

  function release(full: EndedGroup): void {
    live.release(full);
    unwritten.done(full.size, bytes.get(full) ?? 0);
  }

  function hold(full: EndedGroup): void {
    let ends = full.size;
    for (const other of held) ends += other.size;
    if (ends > heldMax) {
      lose(full, new PlatformError("CS_STORE_UNAVAILABLE", "the store takes no records"));
      return;
    }
    held.push(full);
    retrier ??= setTimeout(() => void retry(), RETRY_MS).unref();
  }

  function lose(full: EndedGroup, error: PlatformError): void {
    release(full);
    for (const { record } of full.ends()) onLost(record, error);
  }

  async function retry(): Promise<void> {
    const groups = held;
    held = [];
    retrier = undefined;
    await Promise.all(groups.map(write));
  }

  return {
    add(record, lines) {
      if (!group.add(record, lines)) {
        flush();
        if (!group.add(record, lines)) return false;
      }
      const size = bytesOfEnd(record, lines);
      groupBytes += size;
      unwritten.add(1, size);
      if (group.size === 1) live.retain(group);
      if (group.size >= COLLECTED_MAX) flush();
      else collector ??= setTimeout(flush, COLLECT_MS);
      return true;
    },
    async [Symbol.asyncDispose]() {
      flush();
      await writing;
      clearTimeout(retrier);
      await retry();
      clearTimeout(retrier);
      const error = new PlatformError("CS_STORE_UNAVAILABLE", "the platform ended before the store took it");
      for (const full of held) lose(full, error);
    },
  };
}

import { setTimeout as sleep } from "node:timers/promises";
import type { PlatformError } from "@sous/contract";
import type { JournalEntry, QueueJournal } from "@sous/store";
import { GroupAppend } from "./group-append.ts";
import {
  goneRecord,
  type HeldBy,
  type LoggedMessage,
  LogReplay,
  NOTHING_RECORD,
  putRecord,
  stateRecord,
} from "./log-records.ts";
import type { LogStream } from "./log-stream.ts";

const REPLAYS_MAX = 20;
const REPLAY_PAUSE_MS = 50;
/** A clean-up begins when the log is twice as long as what it holds and so much more. */
const SLACK = { messages: 20_000, bytes: 32 * 1024 * 1024 };
/** Messages written again at a time. */
const MOVED_AT_ONCE = 64;

export interface CoordinatorLogOptions {
  stream: LogStream;
  /** The sequence of this coordinator's own record. */
  sequence: number;
  lengthMax: number;
  /** By how much the log may be longer than twice what it holds (20,000 messages, 32 MiB). */
  slack?: { messages: number; bytes: number } | undefined;
  /** Called once, when nothing can be written any more. */
  onLost: (error: PlatformError) => void;
  /** Hears of a clean-up that failed. */
  report: (error: PlatformError) => void;
}

/**
 * The journal of the queue's engine in a JetStream log. Only the coordinator writes it. All that is needed of the log
 * is in memory, so cleaning it is to write again what its oldest part still holds, and to forget that part.
 */
export class CoordinatorLog implements QueueJournal {
  readonly #options: CoordinatorLogOptions;
  readonly #append: GroupAppend;
  /** By id, those written longest ago first. */
  readonly #live = new Map<string, LoggedMessage>();
  readonly #volatile = new Set<string>();
  #liveBytes = 0;
  #firstSequence = 0;
  #bytes = 0;
  #nextKey = 1;
  #cleaning = false;

  private constructor(options: CoordinatorLogOptions) {
    this.#options = options;
    const { stream, sequence: lastSequence, lengthMax, onLost } = options;
    this.#append = new GroupAppend({ stream, lastSequence, lengthMax, onLost });
  }

  /** Reads the log up to the coordinator's own record. @returns it, and the messages in the order of publishing */
  static async open(
    options: CoordinatorLogOptions,
  ): Promise<{ log: CoordinatorLog; messages: LoggedMessage[] }> {
    const log = new CoordinatorLog(options);
    for (let tried = 0; tried < REPLAYS_MAX; tried++) {
      if (tried > 0) await sleep(REPLAY_PAUSE_MS);
      const replay = new LogReplay();
      const { firstSequence, bytes } = await options.stream.state();
      const take = (text: string, sequence: number): void => replay.take(text, sequence);
      // A clean-up of the coordinator before may still take away what it knows to be needless: then begin anew.
      if (!(await options.stream.read(firstSequence, options.sequence, take))) continue;
      log.#firstSequence = firstSequence;
      log.#bytes = bytes;
      log.#nextKey = replay.keyMax + 1;
      return { log, messages: log.#takeAll(replay) };
    }
    throw options.stream.incomplete();
  }

  get isLost(): boolean {
    return this.#append.isLost;
  }

  /** The next append of this id is of a non-durable message. */
  expectVolatile(id: string): void {
    this.#volatile.add(id);
  }

  append(entry: JournalEntry): Promise<void> {
    const durable = !this.#volatile.delete(entry.id);
    const message = { key: this.#nextKey++, entry, durable, claim: null, home: Infinity };
    this.#add(message);
    return this.#put(message);
  }

  update(entry: JournalEntry): Promise<void> {
    return this.#change(entry.id, entry, null);
  }

  /** Notes who has claimed a message, and as which attempt. */
  claimed(id: string, attempt: number, claim: HeldBy): Promise<void> {
    return this.#change(id, { attempt }, claim);
  }

  remove(id: string): Promise<void> {
    const message = this.#live.get(id);
    if (message === undefined) return Promise.resolve();
    this.#live.delete(id);
    this.#liveBytes -= sizeOf(message);
    return this.#gone(message.key);
  }

  /** Writes something that means nothing. */
  probe(): Promise<void> {
    return this.#append.add(NOTHING_RECORD);
  }

  load(): Promise<JournalEntry[]> {
    return Promise.resolve([]);
  }

  /** Settles when the log has everything that was said so far. */
  flushed(): Promise<void> {
    return this.#append.flushed();
  }

  /** Writes nothing more. */
  lose(error: PlatformError): void {
    this.#append.lose(error);
  }

  #takeAll({ messages }: LogReplay): LoggedMessage[] {
    const newest = new Map<string, number>();
    for (const { key, entry } of messages.values()) {
      newest.set(entry.id, Math.max(key, newest.get(entry.id) ?? 0));
    }
    const taken: LoggedMessage[] = [];
    for (const message of messages.values()) {
      if (newest.get(message.entry.id) === message.key) {
        this.#add(message);
        taken.push(message);
      } else {
        // One that had expired for a release before this one, and was published anew before anybody heard of it.
        this.#gone(message.key).catch(() => {});
      }
    }
    return taken.sort((a, b) => a.key - b.key);
  }

  #add(message: LoggedMessage): void {
    this.#live.set(message.entry.id, message);
    this.#liveBytes += sizeOf(message);
  }

  #gone(key: number): Promise<void> {
    this.#append.fix(key);
    return this.#append.add(goneRecord(key));
  }

  #put(message: LoggedMessage): Promise<void> {
    const record = putRecord(message);
    this.#bytes += record.length;
    this.#append.fix(message.key);
    return this.#append.add(record, undefined, (sequence) => {
      message.home = sequence;
      this.#cleanIfDue();
    });
  }

  #change(id: string, fields: Partial<JournalEntry>, claim: HeldBy | null): Promise<void> {
    const message = this.#live.get(id);
    if (message === undefined) return Promise.resolve();
    message.entry = { ...message.entry, ...fields };
    message.claim = claim;
    const record = stateRecord(message);
    this.#bytes += record.length;
    return this.#append.add(record, message.key);
  }

  #cleanIfDue(): void {
    if (this.#cleaning) return;
    const messages = this.#append.lastSequence - this.#firstSequence;
    const { slack = SLACK } = this.#options;
    const isDue =
      messages > 2 * this.#live.size + slack.messages || this.#bytes > 2 * this.#liveBytes + slack.bytes;
    if (!isDue) return;
    this.#cleaning = true;
    this.#clean()
      .catch((error: PlatformError) => {
        if (!this.isLost) this.#options.report(error);
      })
      .finally(() => {
        this.#cleaning = false;
      });
  }

  async #clean(): Promise<void> {
    const { stream } = this.#options;
    const end = this.#append.lastSequence;
    for (;;) {
      const moved: LoggedMessage[] = [];
      for (const message of this.#live.values()) {
        if (moved.length === MOVED_AT_ONCE || message.home > end) break;
        moved.push(message);
      }
      if (moved.length === 0) break;
      for (const message of moved) {
        this.#live.delete(message.entry.id);
        this.#live.set(message.entry.id, message);
      }
      await Promise.all(moved.map((message) => this.#put(message)));
    }
    await stream.purge(end + 1);
    const { firstSequence, bytes } = await stream.state();
    this.#firstSequence = firstSequence;
    this.#bytes = bytes;
  }
}

const sizeOf = ({ entry }: LoggedMessage): number => entry.body_json.length + 300;

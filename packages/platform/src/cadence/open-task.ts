import { type ActivityServer, ActivityServerError } from "./activity-server.ts";
import type { CadenceMeter } from "./cadence-meter.ts";
import type { TaskEntry } from "./task-book.ts";

/** A share of the heartbeat timeout: two beats may get lost. */
const BEATS_PER_TIMEOUT = 3;
/** How often an activity without a heartbeat timeout asks whether it is still wanted. */
const ASK_MS = 10_000;
const TIMER_MAX_MS = 2 ** 31 - 1;

export interface OpenTaskOptions {
  server: ActivityServer;
  meter: CadenceMeter;
  clock: () => number;
  /** The shortest time between two heartbeats, milliseconds. */
  gapMs: number;
  /** Each time the server says that the workflow wants an early end. */
  onCancel: (task: OpenTask) => void;
  /** Once, when nobody waits for an answer any more. */
  onGone: (task: OpenTask) => void;
}

/**
 * A taken task that is not answered: open → answering → over. It sends heartbeats by itself, while its activation is
 * queued as while it runs, and what the function says goes with the next one.
 */
export class OpenTask {
  readonly entry: TaskEntry;
  /** In the book; 0 while it is not in there. */
  generation = 0;
  state: "open" | "answering" | "over" = "open";
  cancelRequested = false;
  /** When its record was looked at last. */
  lookedMs = 0;
  /** No reply will come for it: its record has to be looked at. */
  unwatched = false;
  /** Whether the book knows its last details. */
  isKept = true;
  readonly #options: OpenTaskOptions;
  readonly #token: Uint8Array;
  readonly #everyMs: number;
  readonly #release: () => void;
  #details: Uint8Array;
  #beatMs: number;
  #beating = false;
  /** Details that the server has not heard of. */
  #fresh = false;
  #timer: NodeJS.Timeout | undefined;
  #deadline: NodeJS.Timeout | undefined;

  constructor(options: OpenTaskOptions, entry: TaskEntry, release: () => void) {
    this.#options = options;
    this.entry = entry;
    this.#release = release;
    this.#token = Buffer.from(entry.token, "base64");
    this.#details = Buffer.from(entry.details, "base64");
    this.lookedMs = this.#beatMs = options.clock();
    const { heartbeat_timeout_ms: timeoutMs } = entry;
    this.#everyMs =
      timeoutMs === 0 ? ASK_MS : Math.max(options.gapMs, Math.min(ASK_MS, timeoutMs / BEATS_PER_TIMEOUT));
    if (entry.deadline_ms !== null) {
      const leftMs = Math.min(TIMER_MAX_MS, Math.max(0, entry.deadline_ms - options.clock()));
      this.#deadline = setTimeout(() => this.#gone(), leftMs).unref();
    }
    this.#plan();
  }

  get token(): Uint8Array {
    return this.#token;
  }

  /** Takes what the function says of its progress; of what comes too fast the last is sent. */
  tell(details: Uint8Array): void {
    if (this.state === "over") return;
    this.#details = details;
    this.entry.details = Buffer.from(details).toString("base64");
    this.#fresh = true;
    this.isKept = false;
    this.#plan();
  }

  /** Sends a heartbeat soon, for a task that was without one for an unknown time. */
  beatSoon(): void {
    this.#fresh = true;
    this.#beatMs = 0;
    this.#plan();
  }

  /** Nothing is sent for it any more, and its place is free. */
  close(): void {
    if (this.state === "over") return;
    this.state = "over";
    clearTimeout(this.#timer);
    clearTimeout(this.#deadline);
    this.#release();
  }

  #plan(): void {
    if (this.#beating || this.state === "over") return;
    clearTimeout(this.#timer);
    const waitMs = this.#fresh ? this.#options.gapMs : this.#everyMs;
    const delayMs = Math.max(0, this.#beatMs + waitMs - this.#options.clock());
    this.#timer = setTimeout(() => void this.#beat(), delayMs).unref();
  }

  async #beat(): Promise<void> {
    const { server, meter, clock, onCancel } = this.#options;
    this.#beating = true;
    this.#fresh = false;
    this.#beatMs = clock();
    try {
      const wanted = await server.heartbeat(this.#token, this.#details, this.entry.identity);
      meter.heartbeat(this.entry, wanted ? "cancel" : "ok");
      if (wanted) this.cancelRequested = true;
      if (wanted && this.state === "open") onCancel(this);
    } catch (error) {
      const gone = error instanceof ActivityServerError && error.fault === "gone";
      meter.heartbeat(this.entry, gone ? "gone" : "error");
      if (gone) this.#gone();
      else meter.fault("CS_CADENCE_HEARTBEAT_FAILED", error);
    } finally {
      this.#beating = false;
      this.#plan();
    }
  }

  #gone(): void {
    // Whoever answers hears it from the answer.
    if (this.state === "open") this.#options.onGone(this);
  }
}

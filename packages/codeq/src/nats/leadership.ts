import type { PlatformError } from "@sous/contract";
import type { DeadLetterOptions } from "../dead-letter-bounds.ts";
import { Coordinator } from "./coordinator.ts";
import { leadRecord } from "./log-records.ts";
import type { LogStream } from "./log-stream.ts";
import type { NatsLink } from "./nats-link.ts";
import type { Subjects } from "./wire.ts";

const BEAT_MS = 500;
/** A coordinator that is silent for so long is taken for gone; one that lives still can do nothing wrong. */
const SILENT_MS = 2500;
const ASK_TIMEOUT_MS = 1500;
/** How long somebody who needs the coordinator waits for there to be one. */
const PATIENCE_MS = 5000;
/** Between two tries to take over, scattered. */
const RETRY_MS = 100;

const NOBODY = new Error("no process coordinates it");

/** What a coordinator says of itself: its epoch, and whether it answers, still reads the log, or has ended. */
type Beat = [epoch: number, state: "ready" | "reading" | "ended"];

export interface LeadershipOptions extends DeadLetterOptions {
  /** This process, for the log. */
  process: string;
  link: NatsLink;
  stream: LogStream;
  subjects: Subjects;
  clock: () => number;
  random: () => number;
  report: (error: PlatformError) => void;
}

/**
 * Who coordinates, and that somebody does. Any process with the queue may: who appends its word to the log first, with
 * the sequence it saw, is the next; whoever was it before can append nothing any more.
 *
 *     nobody known → asked → known (ready | reading) → nobody known (it ended, is silent, or does not hear)
 *                    asked → taking over → coordinator here → nobody known (another took over, or the log is lost)
 */
export class Leadership implements AsyncDisposable {
  readonly #options: LeadershipOptions;
  readonly #stops: (() => void | Promise<void>)[] = [];
  readonly #ticker: NodeJS.Timeout;
  readonly #waiting = new Set<PromiseWithResolvers<number>>();
  readonly #onChange = new Set<(epoch: number) => void>();
  #known: { epoch: number; isReady: boolean } | undefined;
  /** The last one that ended in order. */
  #ended = 0;
  #heardAtMs = performance.now();
  #here: { epoch: number; coordinator: Coordinator | undefined } | undefined;
  #seeking = false;
  #reported = false;
  #closed = false;

  constructor(options: LeadershipOptions) {
    this.#options = options;
    const { link, subjects } = options;
    this.#stops.push(link.subscribe(subjects.beat, (message) => this.#heard(message.json<Beat>())));
    link.onDown(() => {
      this.#known = undefined;
      this.#refuse(link.failure(undefined));
      this.#here?.coordinator?.stop();
    });
    link.onUp(() => {
      this.#heardAtMs = performance.now();
      void this.#seek();
    });
    this.#ticker = setInterval(() => this.#tick(), BEAT_MS);
    this.#ticker.unref();
  }

  /** Calls back with the epoch of every coordinator that is ready, when it becomes known. */
  onChange(listener: (epoch: number) => void): void {
    this.#onChange.add(listener);
  }

  /** @returns the epoch of the coordinator @throws CS_CODEQ_PUBLISH_FAILED while the server is away or nobody coordinates */
  find(): number | Promise<number> {
    const { link } = this.#options;
    if (!link.isUp) throw link.failure(undefined);
    if (this.#known?.isReady === true) return this.#known.epoch;
    void this.#seek();
    const waiting = Promise.withResolvers<number>();
    this.#waiting.add(waiting);
    const timer = setTimeout(() => waiting.reject(link.failure(NOBODY)), PATIENCE_MS);
    timer.unref();
    return waiting.promise.finally(() => {
      clearTimeout(timer);
      this.#waiting.delete(waiting);
    });
  }

  /** A coordinator did not hear. */
  lost(epoch: number): void {
    if (this.#known?.epoch !== epoch) return;
    this.#known = undefined;
    void this.#seek();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#ticker);
    this.#refuse(this.#options.link.failure(new Error("the queue is closed")));
    const here = this.#here;
    if (here?.coordinator !== undefined) {
      // Who asks meanwhile waits for the next one.
      this.#beat(this.#present());
      await here.coordinator.close();
      this.#ended = here.epoch;
      this.#beat(this.#present());
    }
    await Promise.all(this.#stops.map((stop) => stop()));
    await this.#options.link.flush();
  }

  #heard([epoch, state]: Beat): void {
    if (this.#here !== undefined && epoch > this.#here.epoch) this.#here.coordinator?.stop();
    // An answer from before an end may be heard after it.
    if (epoch < (this.#known?.epoch ?? 0) || epoch <= this.#ended) return;
    if (state === "ended") {
      this.#ended = epoch;
      this.#known = undefined;
      void this.#seek();
      return;
    }
    this.#heardAtMs = performance.now();
    const isNew = this.#known?.epoch !== epoch || !this.#known.isReady;
    this.#known = { epoch, isReady: state === "ready" };
    if (state !== "ready" || !isNew) return;
    for (const { resolve } of this.#waiting) resolve(epoch);
    for (const listener of this.#onChange) listener(epoch);
  }

  #refuse(error: PlatformError): void {
    for (const { reject } of this.#waiting) reject(error);
  }

  #tick(): void {
    if (!this.#options.link.isUp) return;
    if (this.#here !== undefined) this.#beat(this.#present());
    else if (performance.now() - this.#heardAtMs > SILENT_MS) {
      this.#known = undefined;
      void this.#seek();
    }
  }

  #present(): Beat {
    const { epoch, coordinator } = this.#here ?? { epoch: 0 };
    if (epoch === this.#ended) return [epoch, "ended"];
    return [epoch, !this.#closed && coordinator !== undefined ? "ready" : "reading"];
  }

  #beat(beat: Beat): void {
    try {
      this.#options.link.publish(this.#options.subjects.beat, JSON.stringify(beat));
    } catch {
      // Whoever misses it asks.
    }
  }

  /** Asks who coordinates until somebody does, in this process if need be. */
  async #seek(): Promise<void> {
    if (this.#seeking) return;
    this.#seeking = true;
    try {
      while (this.#known === undefined && !this.#closed && this.#options.link.isUp) {
        if (await this.#tryTakeOver()) continue;
        const pauseMs = RETRY_MS * (0.5 + this.#options.random());
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    } finally {
      this.#seeking = false;
    }
  }

  async #tryTakeOver(): Promise<boolean> {
    try {
      // Seen before anybody is asked: whoever takes over after that makes the append fail.
      const { lastSequence } = await this.#options.stream.state();
      // A log that was made anew begins at the beginning, and so do those who write it.
      if (lastSequence < this.#ended) this.#ended = 0;
      const isKnown = (await this.#isAnswered()) || (await this.#takeOver(lastSequence));
      this.#reported = false;
      return isKnown;
    } catch (error) {
      // It is tried again and again; that it fails is said once.
      if (this.#options.link.isUp && !this.#reported) this.#options.report(error as PlatformError);
      this.#reported = this.#options.link.isUp;
      return false;
    }
  }

  /** @returns whether somebody says that he coordinates */
  async #isAnswered(): Promise<boolean> {
    const { link, subjects } = this.#options;
    try {
      this.#heard(JSON.parse(await link.request(subjects.who, "", ASK_TIMEOUT_MS)) as Beat);
    } catch {
      // Nobody, or one who does not answer: both are to be replaced.
    }
    return this.#known !== undefined;
  }

  /** @returns whether this process coordinates now */
  async #takeOver(lastSequence: number): Promise<boolean> {
    const { link, stream, subjects, process } = this.#options;
    // Before the append: who sees that one asks after it, and is heard.
    const appended = Promise.withResolvers<number | undefined>();
    const stop = link.subscribeUntilDrained(subjects.who, (message) => {
      void appended.promise.then((mine) => {
        if (mine !== undefined && mine === this.#here?.epoch)
          message.respond(JSON.stringify(this.#present()));
      });
    });
    const epoch = await stream.append(`[${leadRecord(process)}]`, lastSequence).catch((error: unknown) => {
      appended.resolve(undefined);
      void stop();
      throw error;
    });
    appended.resolve(epoch);
    if (epoch === undefined || this.#closed) {
      void stop();
      return false;
    }
    const here: { epoch: number; coordinator: Coordinator | undefined } = { epoch, coordinator: undefined };
    this.#here = here;
    const onLost = (): void => {
      void stop();
      if (this.#here !== here) return;
      this.#here = undefined;
      if (this.#known?.epoch === epoch) this.#known = undefined;
      void this.#seek();
    };
    this.#known = { epoch, isReady: false };
    this.#beat(this.#present());
    try {
      const coordinator = await Coordinator.open({ ...this.#options, epoch, onLost });
      if (this.#closed) {
        await coordinator.close();
        this.#ended = epoch;
        this.#beat(this.#present());
        await stop();
        return false;
      }
      here.coordinator = coordinator;
    } catch (error) {
      onLost();
      throw error;
    }
    this.#stops.push(stop);
    this.#heard([epoch, "ready"]);
    this.#beat([epoch, "ready"]);
    return true;
  }
}

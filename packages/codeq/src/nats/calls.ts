import { type ErrorCode, PlatformError } from "@sous/contract";
import type { Leadership } from "./leadership.ts";
import type { NatsLink } from "./nats-link.ts";
import { Outbox } from "./outbox.ts";
import { isUnheard, MOVED, type Op, type Subjects, type WireError, type WireItem } from "./wire.ts";

const FRAME_LENGTH_MAX = 256 * 1024;
/** Frames whose calls are remembered, should nobody have heard them. */
const FRAMES_MAX = 4096;
/** A coordinator that does not answer for so long is taken for gone. */
const ANSWER_TIMEOUT_MS = 4000;
/** How long a call is said again, to the next coordinator. */
const AGAIN_MS = 10_000;
/** What may be done twice: it is said again where it is not known whether it was done. */
const REPEATABLE = new Set<Op>([
  "consume",
  "credit",
  "leave",
  "settle",
  "depth",
  "dead",
  "headings",
  "weight",
  "check",
]);

export interface CallsOptions {
  /** This process. */
  process: string;
  link: NatsLink;
  subjects: Subjects;
  leadership: Leadership;
  /** Hears what is no answer to a call. */
  onItem: (item: WireItem) => void;
}

interface Pending {
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
  epoch: number;
  /** When it was sent, by a clock that only goes on. */
  sentAtMs: number;
}

/** A call nobody took. */
class NotTaken extends Error {}

/** A call whose coordinator changed, or is silent: nobody knows whether it was done. */
class NotAnswered extends Error {}

/** What this process asks of whoever coordinates. Calls of one turn share a message, and their answers one. */
export class Calls implements Disposable {
  readonly #options: CallsOptions;
  readonly #outbox: Outbox<number>;
  readonly #pending = new Map<number, Pending>();
  /** Whom a frame went to, and its calls, by its number. */
  readonly #frames = new Map<number, { epoch: number; calls: readonly number[] }>();
  readonly #stop: () => void;
  readonly #sweeper: NodeJS.Timeout;
  #calls = 0;
  #frame = 0;

  constructor(options: CallsOptions) {
    this.#options = options;
    const { link, subjects, process, leadership } = options;
    this.#outbox = new Outbox({
      frameLengthMax: FRAME_LENGTH_MAX,
      send: (subject, items) => {
        const calls = items.map(({ about }) => about).filter((call) => call > 0);
        const frame = ++this.#frame;
        this.#frames.set(frame, { epoch: Number(subject.split(".").at(-1)), calls });
        this.#frames.delete(frame - FRAMES_MAX);
        const text = `["${process}",[${items.map((item) => item.text).join(",")}]]`;
        try {
          link.publish(subject, text, subjects.process(process, frame));
        } catch (error) {
          this.#fail(calls, error);
        }
      },
    });
    this.#stop = link.subscribe(subjects.process(process, "*"), (message) => {
      if (isUnheard(message)) this.#unheard(Number(message.subject.split(".").at(-1)));
      else for (const item of message.json<WireItem[]>()) this.#take(item);
    });
    link.onDown(() => this.#fail([...this.#pending.keys()], link.failure(undefined)));
    // The one before answers nothing more: whether it did what it was asked is not known.
    leadership.onChange((epoch) => this.#failWhere((pending) => pending.epoch < epoch));
    this.#sweeper = setInterval(() => this.#sweep(), 1000);
    this.#sweeper.unref();
  }

  /** Asks. @throws CS_CODEQ_PUBLISH_FAILED where it is not known whether it was done, or nobody is there */
  async call(op: Op, ...args: unknown[]): Promise<unknown> {
    const { leadership, link } = this.#options;
    const endMs = performance.now() + AGAIN_MS;
    while (performance.now() < endMs) {
      const found = leadership.find();
      const epoch = typeof found === "number" ? found : await found;
      try {
        return await this.#ask(epoch, op, args);
      } catch (error) {
        if (error instanceof NotTaken) leadership.lost(epoch);
        else if (!(error instanceof NotAnswered)) throw error;
        else if (!REPEATABLE.has(op)) throw link.failure(error);
      }
    }
    throw link.failure(new Error("its coordinator changes again and again"));
  }

  /** Says something nobody answers, if somebody is there. */
  tell(op: Op, ...args: unknown[]): void {
    const { leadership, link, subjects } = this.#options;
    if (!link.isUp) return;
    const found = leadership.find();
    if (typeof found === "number")
      this.#outbox.post(subjects.calls(found), JSON.stringify([0, op, ...args]), 0);
    else found.catch(() => {});
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sweeper);
    this.#stop();
    this.#fail([...this.#pending.keys()], this.#options.link.failure(new Error("the queue is closed")));
  }

  #ask(epoch: number, op: Op, args: readonly unknown[]): Promise<unknown> {
    const call = ++this.#calls;
    return new Promise((resolve, reject) => {
      this.#pending.set(call, { resolve, reject, epoch, sentAtMs: performance.now() });
      this.#outbox.post(this.#options.subjects.calls(epoch), JSON.stringify([call, op, ...args]), call);
    });
  }

  #take(item: WireItem): void {
    const [kind, call, value] = item;
    if (kind !== "ok" && kind !== "no") return this.#options.onItem(item);
    const pending = this.#pending.get(call);
    if (pending === undefined) return;
    this.#pending.delete(call);
    if (kind === "ok") pending.resolve(value);
    else pending.reject(errorOf(value as WireError));
  }

  /** Nobody was there to hear a frame. */
  #unheard(frame: number): void {
    const sent = this.#frames.get(frame);
    if (sent === undefined) return;
    this.#frames.delete(frame);
    this.#options.leadership.lost(sent.epoch);
    this.#fail(sent.calls, new NotTaken());
  }

  #fail(calls: readonly number[], error: unknown): void {
    for (const call of calls) {
      const pending = this.#pending.get(call);
      this.#pending.delete(call);
      pending?.reject(error);
    }
  }

  #failWhere(isLost: (pending: Pending) => boolean): void {
    const lost = [...this.#pending].filter(([, pending]) => isLost(pending)).map(([call]) => call);
    this.#fail(lost, new NotAnswered("its coordinator has changed"));
  }

  #sweep(): void {
    const beforeMs = performance.now() - ANSWER_TIMEOUT_MS;
    const epochs = new Set<number>();
    this.#failWhere((pending) => {
      if (pending.sentAtMs > beforeMs) return false;
      epochs.add(pending.epoch);
      return true;
    });
    for (const epoch of epochs) this.#options.leadership.lost(epoch);
  }
}

function errorOf({ code, message }: WireError): Error {
  return code === MOVED ? new NotTaken() : new PlatformError(code as ErrorCode, message);
}

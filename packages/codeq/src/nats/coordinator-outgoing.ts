import type { NatsLink } from "./nats-link.ts";
import { Outbox } from "./outbox.ts";
import { isUnheard, type Subjects, type WireItem } from "./wire.ts";

/** Frames whose deliveries are remembered, should nobody have heard them. */
const FRAMES_MAX = 1024;
const FRAME_LENGTH_MAX = 256 * 1024;

export interface CoordinatorOutgoingOptions {
  epoch: number;
  link: NatsLink;
  subjects: Subjects;
  /** Hears of what was sent to a process and found nobody. */
  onUnheard: (process: string, tokens: readonly string[]) => void;
}

/** What the coordinator says to processes, in order. The server says where nobody is there to hear a delivery. */
export class CoordinatorOutgoing {
  readonly #options: CoordinatorOutgoingOptions;
  readonly #outbox: Outbox<string | undefined>;
  readonly #frames = new Map<number, { process: string; tokens: string[] }>();
  readonly #stop: () => void;
  #frame = 0;

  constructor(options: CoordinatorOutgoingOptions) {
    this.#options = options;
    const { link, subjects, epoch } = options;
    this.#outbox = new Outbox({
      frameLengthMax: FRAME_LENGTH_MAX,
      send: (process, items) => {
        const tokens = items.flatMap(({ about }) => (about === undefined ? [] : [about]));
        this.#send(process, `[${items.map(({ text }) => text).join(",")}]`, tokens);
      },
    });
    this.#stop = link.subscribe(subjects.unheard(epoch, "*"), (message) => {
      if (isUnheard(message)) this.#unheard(Number(message.subject.split(".").at(-1)));
    });
  }

  /** @param token comes back where nobody hears it */
  post(process: string, item: WireItem, token?: string): void {
    this.#outbox.post(process, JSON.stringify(item), token);
  }

  stop(): void {
    this.#stop();
  }

  #send(process: string, text: string, tokens: string[]): void {
    const { link, subjects, epoch } = this.#options;
    let reply: string | undefined;
    if (tokens.length > 0) {
      const frame = ++this.#frame;
      this.#frames.set(frame, { process, tokens });
      this.#frames.delete(frame - FRAMES_MAX);
      reply = subjects.unheard(epoch, frame);
    }
    try {
      link.publish(subjects.process(process, 0), text, reply);
    } catch {
      // A connection that is down ends this coordinator: its consumers say to the next one what they have.
    }
  }

  #unheard(number: number): void {
    const frame = this.#frames.get(number);
    if (frame === undefined) return;
    this.#frames.delete(number);
    this.#options.onUnheard(frame.process, frame.tokens);
  }
}

/** What goes in a frame: JSON text, and what the sender wants to know again about it. */
export interface Outgoing<About> {
  text: string;
  about: About;
}

export interface OutboxOptions<About> {
  /** Sends what goes to one subject; nothing it throws may be lost to the caller of `post`, who is gone by then. */
  send(subject: string, items: readonly Outgoing<About>[]): void;
  /** Bytes of a frame, unless one item is larger; characters are counted. */
  frameLengthMax: number;
}

/** Puts what is sent in one turn to one subject into one message. What goes to a subject keeps its order. */
export class Outbox<About> {
  readonly #options: OutboxOptions<About>;
  #subjects = new Map<string, Outgoing<About>[]>();

  constructor(options: OutboxOptions<About>) {
    this.#options = options;
  }

  post(subject: string, text: string, about: About): void {
    if (this.#subjects.size === 0) queueMicrotask(() => this.#flush());
    const items = this.#subjects.get(subject);
    if (items === undefined) this.#subjects.set(subject, [{ text, about }]);
    else items.push({ text, about });
  }

  #flush(): void {
    const subjects = this.#subjects;
    this.#subjects = new Map();
    for (const [subject, items] of subjects) {
      let length = 0;
      let from = 0;
      for (const [at, { text }] of items.entries()) {
        length += text.length;
        if (at === from || length <= this.#options.frameLengthMax) continue;
        this.#options.send(subject, items.slice(from, at));
        from = at;
        length = text.length;
      }
      this.#options.send(subject, items.slice(from));
    }
  }
}

import { PlatformError } from "@sous/contract";
import type { JournalEntry, QueueJournal } from "@sous/store";
import type { Message } from "../codeq.ts";

/** How a body becomes text in the journal and back. */
export interface BodyCodec<Body> {
  encode(body: Body): string;
  decode(json: string): Body;
}

/** A message as the journal had it. */
export interface RestoredMessage<Body> {
  message: Message<Body>;
  /** Set for a dead letter. */
  deadReason: string | undefined;
}

/**
 * The journal seen from the queue: messages in and out, failures as `CS_CODEQ_PUBLISH_FAILED`
 * (`CS_STORE_UNAVAILABLE` passes), and what is still being written.
 */
export class DurableLog<Body> {
  readonly #journal: QueueJournal;
  readonly #codec: BodyCodec<Body>;
  #open = 0;
  #whenSettled: (() => void) | undefined;

  constructor(journal: QueueJournal, codec: BodyCodec<Body>) {
    this.#journal = journal;
    this.#codec = codec;
  }

  append(message: Message<Body>): Promise<void> {
    return this.#track(() => this.#journal.append(this.#encode(message, undefined)));
  }

  update(message: Message<Body>, deadReason?: string): Promise<void> {
    return this.#track(() => this.#journal.update(this.#encode(message, deadReason)));
  }

  remove(id: string): Promise<void> {
    return this.#track(() => this.#journal.remove(id));
  }

  /** Replaces an entry; it then stands last. Both writes belong to one transaction of the store. */
  replace(message: Message<Body>): Promise<void> {
    return this.#track(() => {
      const entry = this.#encode(message, undefined);
      const writes = [this.#journal.remove(message.id), this.#journal.append(entry)];
      return Promise.all(writes).then(() => {});
    });
  }

  /** Reads everything back. A body that cannot be decoded is reported and stays in the journal. */
  async load(report: (error: PlatformError) => void): Promise<RestoredMessage<Body>[]> {
    const restored: RestoredMessage<Body>[] = [];
    for (const entry of await this.#journal.load()) {
      try {
        restored.push({
          message: this.#decode(entry),
          deadReason: entry.dead ? (entry.dead_reason ?? "unknown") : undefined,
        });
      } catch (cause) {
        const message = `Message ${entry.id} of the queue's journal cannot be read; it stays there unused.`;
        report(new PlatformError("CS_INTERNAL", message, { cause, details: { id: entry.id } }));
      }
    }
    return restored;
  }

  /** Waits until nothing is being written. */
  async settled(): Promise<void> {
    while (this.#open > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#whenSettled = resolve;
      await promise;
    }
  }

  /** One promise for each write, as there are many: what it was is counted, not kept. */
  #track(write: () => Promise<void>): Promise<void> {
    let running: Promise<void>;
    try {
      running = write();
    } catch (cause) {
      return Promise.reject(refused(cause));
    }
    this.#open++;
    return running.then(this.#done, this.#failed);
  }

  readonly #done = (): void => {
    if (--this.#open > 0) return;
    this.#whenSettled?.();
    this.#whenSettled = undefined;
  };

  readonly #failed = (cause: unknown): never => {
    this.#done();
    throw refused(cause);
  };

  #encode(message: Message<Body>, deadReason: string | undefined): JournalEntry {
    return {
      id: message.id,
      topic: message.topic,
      tenant: message.tenant,
      lane: message.lane,
      body_json: this.#codec.encode(message.body),
      attempt: message.attempt,
      enqueued_at_ms: message.enqueued_at_ms,
      due_at_ms: message.due_at_ms,
      expires_at_ms: message.expires_at_ms,
      dead: deadReason !== undefined,
      dead_reason: deadReason ?? null,
    };
  }

  #decode(entry: JournalEntry): Message<Body> {
    return {
      id: entry.id,
      topic: entry.topic,
      tenant: entry.tenant,
      lane: entry.lane,
      body: this.#codec.decode(entry.body_json),
      attempt: entry.attempt,
      enqueued_at_ms: entry.enqueued_at_ms,
      due_at_ms: entry.due_at_ms,
      expires_at_ms: entry.expires_at_ms,
    };
  }
}

function refused(cause: unknown): PlatformError {
  if (cause instanceof PlatformError && cause.code === "CS_STORE_UNAVAILABLE") return cause;
  const message = "The queue's journal refused a write; look at the store, then try again.";
  return new PlatformError("CS_CODEQ_PUBLISH_FAILED", message, { cause });
}

import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import { PlatformError } from "@sous/contract";
import type { NatsLink } from "./nats-link.ts";
import type { NatsTarget } from "./nats-url.ts";

/** A server that does not confirm for so long is taken for gone. */
const CONFIRM_TIMEOUT_MS = 3000;
const READS_IN_FLIGHT = 128;
/** JetStream's code for a message that was not to be behind another one than the writer thought. */
const WRONG_LAST_SEQUENCE = 10071;

/** What the stream holds now. */
export interface LogState {
  firstSequence: number;
  lastSequence: number;
  bytes: number;
}

/** The queue's log: one stream with one subject, written by whoever knows its last sequence. */
export class LogStream {
  readonly #name: string;
  readonly #subject: string;
  readonly #link: NatsLink;
  readonly #client: JetStreamClient;
  readonly #manager: JetStreamManager;

  private constructor(
    target: NatsTarget,
    link: NatsLink,
    client: JetStreamClient,
    manager: JetStreamManager,
  ) {
    this.#name = streamNameOf(target.prefix);
    this.#subject = `${target.prefix}.log`;
    this.#link = link;
    this.#client = client;
    this.#manager = manager;
  }

  /** @throws CS_CODEQ_PUBLISH_FAILED where the server has no JetStream or refuses the stream */
  static async open(target: NatsTarget, link: NatsLink): Promise<LogStream> {
    const { jetstream, jetstreamManager } = await import("@nats-io/jetstream");
    try {
      const options = { timeout: CONFIRM_TIMEOUT_MS };
      const manager = await jetstreamManager(link.connection, options);
      const log = new LogStream(target, link, jetstream(link.connection, options), manager);
      await manager.streams.add({
        name: log.#name,
        subjects: [log.#subject],
        storage: "file",
        num_replicas: target.replicas,
        allow_direct: true,
      });
      return log;
    } catch (cause) {
      throw link.failure(cause);
    }
  }

  async state(): Promise<LogState> {
    try {
      const { state } = await this.#manager.streams.info(this.#name);
      return { firstSequence: state.first_seq, lastSequence: state.last_seq, bytes: state.bytes };
    } catch (cause) {
      throw this.#link.failure(cause);
    }
  }

  /**
   * Appends if nobody else did since.
   * @returns the sequence of what was appended, or `undefined` where the last one is not `lastSequence`
   * @throws CS_CODEQ_PUBLISH_FAILED where it is not known whether it was appended
   */
  async append(text: string, lastSequence: number): Promise<number | undefined> {
    if (!this.#link.isUp) throw this.#link.failure(undefined);
    try {
      const options = { expect: { lastSequence }, timeout: CONFIRM_TIMEOUT_MS };
      return (await this.#client.publish(this.#subject, text, options)).seq;
    } catch (cause) {
      if ((cause as { code?: unknown }).code === WRONG_LAST_SEQUENCE) return undefined;
      throw this.#link.failure(cause);
    }
  }

  /**
   * Reads in order.
   * @returns whether all were there; `false` when a writer cleaned away some of them meanwhile
   */
  async read(from: number, to: number, take: (text: string, sequence: number) => void): Promise<boolean> {
    for (let at = from; at <= to; at += READS_IN_FLIGHT) {
      const count = Math.min(READS_IN_FLIGHT, to - at + 1);
      const texts = await Promise.all(Array.from({ length: count }, (_, offset) => this.#get(at + offset)));
      for (const [offset, text] of texts.entries()) {
        if (text === undefined) return false;
        take(text, at + offset);
      }
    }
    return true;
  }

  /** Forgets everything before a sequence. */
  async purge(before: number): Promise<void> {
    try {
      await this.#manager.streams.purge(this.#name, { seq: before });
    } catch (cause) {
      throw this.#link.failure(cause);
    }
  }

  /** @returns what is said where the log goes on changing while it is read */
  incomplete(): PlatformError {
    return this.#link.failure(new Error("its log changes while it is read"));
  }

  async #get(sequence: number): Promise<string | undefined> {
    try {
      const message = await this.#manager.direct.getMessage(this.#name, { seq: sequence });
      return message?.string();
    } catch (cause) {
      throw this.#link.failure(cause);
    }
  }
}

/** Streams' names have no dots. */
const streamNameOf = (prefix: string): string => prefix.replaceAll(".", "_");

/** @returns what a process hears whose place was taken by another */
export const deposed = (): PlatformError =>
  new PlatformError("CS_CODEQ_PUBLISH_FAILED", "another process coordinates the queue now; try again");

import type { PlatformError } from "@sous/contract";
import type { RedisLink } from "@sous/store/redis-link";

const PING_MS = 5000;

type Hear = (text: string) => void;

/** One connection that listens for all consumers of a process, and listens again after every outage. */
export class WakeBus implements Disposable {
  readonly #link: RedisLink;
  readonly #report: (error: PlatformError) => void;
  readonly #channels = new Map<string, Set<Hear>>();
  readonly #pinger: NodeJS.Timeout;

  /** @param onAgain called when the connection listens again: what was said meanwhile was not heard */
  constructor(link: RedisLink, report: (error: PlatformError) => void, onAgain: () => void) {
    this.#link = link;
    this.#report = report;
    link.onMessage((channel, text) => {
      for (const hear of this.#channels.get(channel) ?? []) hear(text);
    });
    link.onReady(() => void this.#again(onAgain));
    // A connection that is dead without saying so is found by asking.
    this.#pinger = setInterval(() => void link.send("PING").catch(() => {}), PING_MS);
    this.#pinger.unref();
  }

  /** @returns a function that stops it. @throws CS_CODEQ_PUBLISH_FAILED when the server cannot be reached */
  async listen(channel: string, hear: Hear): Promise<() => Promise<void>> {
    let hearers = this.#channels.get(channel);
    if (hearers === undefined) this.#channels.set(channel, (hearers = new Set()));
    hearers.add(hear);
    try {
      await this.#link.send("SUBSCRIBE", channel);
    } catch (error) {
      hearers.delete(hear);
      throw error;
    }
    return async () => {
      hearers.delete(hear);
      if (hearers.size > 0 || this.#channels.get(channel) !== hearers) return;
      this.#channels.delete(channel);
      await this.#link.send("UNSUBSCRIBE", channel).catch(() => {});
    };
  }

  /** Settles when everything said so far was heard. */
  async settled(): Promise<void> {
    await this.#link.send("PING");
  }

  [Symbol.dispose](): void {
    clearInterval(this.#pinger);
    this.#channels.clear();
  }

  async #again(onAgain: () => void): Promise<void> {
    try {
      if (this.#channels.size > 0) await this.#link.send("SUBSCRIBE", ...this.#channels.keys());
      onAgain();
    } catch (error) {
      if (!this.#link.isUp) return;
      this.#report(error as PlatformError);
      // Deaf, it would be of no use: the next connection tries again.
      this.#link.reset();
    }
  }
}

import { type RedisLink, type RedisValue, runScript, type Script } from "../redis-link/index.ts";
import { asFailure, outage } from "./failure.ts";

/** How the store's parts read: at once, or not at all. */
export class Reader {
  readonly #link: RedisLink;
  #closed = false;

  constructor(link: RedisLink) {
    this.#link = link;
  }

  /** @throws CS_STORE_UNAVAILABLE, CS_STORE_READ_FAILED */
  send<Reply>(command: string, ...args: (RedisValue | readonly RedisValue[])[]): Promise<Reply> {
    return this.#guarded(() => this.#link.send(command, ...args));
  }

  /** As `send`, for answers whose texts are bytes. */
  sendForBytes<Reply>(command: string, ...args: RedisValue[]): Promise<Reply> {
    return this.#guarded(() => this.#link.sendForBytes(command, ...args));
  }

  /** Runs a script that writes nothing. */
  run<Reply>(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number | Buffer)[],
  ): Promise<Reply> {
    return this.#guarded(() => runScript(this.#link, script, keys, args));
  }

  /** Many texts by their keys, in parts that no reply is too large for. */
  async texts(keys: readonly string[]): Promise<(string | null)[]> {
    const texts: (string | null)[] = [];
    for (let at = 0; at < keys.length; at += TEXTS_AT_ONCE) {
      texts.push(...(await this.send<(string | null)[]>("MGET", keys.slice(at, at + TEXTS_AT_ONCE))));
    }
    return texts;
  }

  close(): void {
    this.#closed = true;
  }

  async #guarded<Reply>(read: () => Promise<unknown>): Promise<Reply> {
    if (this.#closed) throw outage("The store is closed; open it again");
    try {
      return (await read()) as Reply;
    } catch (error) {
      throw asFailure(error, "CS_STORE_READ_FAILED");
    }
  }
}

const TEXTS_AT_ONCE = 100;

import { PlatformError } from "@sous/contract";
import { Shard, type ShardOptions } from "./shard.ts";
import { shardOfTenant } from "./shard-keys.ts";

/** Topics a process remembers while it does not consume them. */
const TOPICS_MAX = 10_000;
/** A topic is put on the list again when its note is so old, and leaves the list when nobody did, in milliseconds. */
const NOTE_MS = 3_600_000;
const LISTED_MS = 30 * 24 * NOTE_MS;

export interface TopicTableOptions extends Omit<ShardOptions, "topic" | "number"> {
  shards: number;
  report: (error: PlatformError) => void;
}

interface Topic {
  shards: readonly Shard[];
  isConsumed: boolean;
  notedAtMs: number;
}

/** The topics a process deals with and their shards, and the list of topics that the cluster shares. */
export class TopicTable {
  readonly #options: TopicTableOptions;
  readonly #topics = new Map<string, Topic>();

  constructor(options: TopicTableOptions) {
    this.#options = options;
  }

  get prefix(): string {
    return this.#options.prefix;
  }

  /** @throws CS_VALIDATION_FAILED when the server's messages lie in another number of shards */
  async agree(): Promise<void> {
    const { link, prefix, shards } = this.#options;
    await link.send("SET", `${prefix}shards`, shards, "NX");
    const agreed = Number(await link.send("GET", `${prefix}shards`));
    if (agreed === shards) return;
    throw new PlatformError(
      "CS_VALIDATION_FAILED",
      `codeq has ${shards} shards, and the server's messages lie in ${agreed}; all processes must agree: set shards=${agreed}`,
    );
  }

  /** @throws CS_CONFLICT when the server's messages are another platform's */
  async belongTo(platform: string): Promise<void> {
    const { link, prefix } = this.#options;
    const key = `${prefix}platform`;
    await link.send("SET", key, platform, "NX");
    if ((await link.send("GET", key)) === platform) return;
    throw new PlatformError(
      "CS_CONFLICT",
      `codeq holds the work of another platform, with another store: give this one a prefix of its own (?prefix=NAME:). If its store takes the place of the other one's, as after a restore, stop all processes and delete the key ${key} in the queue's server`,
    );
  }

  /** @returns the shard a tenant's message goes to; the topic is put on the cluster's list */
  publishing(name: string, tenant: string): Shard {
    const topic = this.#topic(name);
    this.#note(name, topic);
    return shardIn(topic, tenant);
  }

  /** @returns the shard a tenant's messages of a topic lie in */
  shardOf(name: string, tenant: string): Shard {
    return shardIn(this.#topic(name), tenant);
  }

  consuming(name: string): readonly Shard[] {
    const topic = this.#topic(name);
    topic.isConsumed = true;
    return topic.shards;
  }

  shardsOf(name: string): readonly Shard[] {
    return this.#topic(name).shards;
  }

  /** @returns the shards of all topics that are consumed here */
  consumed(): Shard[] {
    return [...this.#topics.values()].flatMap(({ isConsumed, shards }) => (isConsumed ? shards : []));
  }

  /** @returns the names of all topics of the cluster, those of this process first */
  async known(): Promise<string[]> {
    const { link, prefix } = this.#options;
    const listed = (await link.send("ZRANGE", `${prefix}topics`, 0, -1)) as string[];
    return [...new Set([...this.#topics.keys(), ...listed])];
  }

  /** Settles when nothing is on its way to the server. */
  async settled(): Promise<void> {
    await Promise.all(
      [...this.#topics.values()].flatMap(({ shards }) => shards.map((shard) => shard.settled())),
    );
  }

  #topic(name: string): Topic {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      if (this.#topics.size >= TOPICS_MAX) this.#forgetOldest();
      const { shards, ...options } = this.#options;
      topic = {
        shards: Array.from({ length: shards }, (_, number) => new Shard({ ...options, topic: name, number })),
        isConsumed: false,
        notedAtMs: -Infinity,
      };
      this.#topics.set(name, topic);
    }
    return topic;
  }

  #note(name: string, topic: Topic): void {
    const { link, prefix, clock, report } = this.#options;
    const nowMs = clock();
    if (nowMs - topic.notedAtMs < NOTE_MS) return;
    topic.notedAtMs = nowMs;
    const key = `${prefix}topics`;
    Promise.all([
      link.send("ZADD", key, nowMs, name),
      link.send("ZREMRANGEBYSCORE", key, "-inf", nowMs - LISTED_MS),
    ]).catch((error: PlatformError) => {
      topic.notedAtMs = -Infinity;
      if (link.isUp) report(error);
    });
  }

  #forgetOldest(): void {
    for (const [name, { isConsumed }] of this.#topics) {
      if (isConsumed) continue;
      this.#topics.delete(name);
      return;
    }
  }
}

function shardIn({ shards }: Topic, tenant: string): Shard {
  const number = shards.length === 1 ? 0 : shardOfTenant(tenant, shards.length);
  return shards[number] as Shard;
}

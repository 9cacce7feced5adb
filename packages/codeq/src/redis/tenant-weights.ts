import { PlatformError } from "@sous/contract";
import type { RedisLink } from "@sous/store/redis-link";
import type { Shard } from "./shard.ts";
import type { TopicTable } from "./topic-table.ts";
import type { WakeBus } from "./wake-bus.ts";

export interface TenantWeightsOptions {
  link: RedisLink;
  bus: WakeBus;
  prefix: string;
  topics: TopicTable;
  report: (error: PlatformError) => void;
}

/**
 * What tenants weigh, those that weigh 1 left out. The list lies beside the shards; every process that consumes
 * puts it into the shards it consumes, where the scripts read it, and hears of changes.
 */
export class TenantWeights {
  readonly #options: TenantWeightsOptions;
  #weights = new Map<string, number>();

  constructor(options: TenantWeightsOptions) {
    this.#options = options;
  }

  /** A queue that is closed writes nothing any more, and its last weights go with it. */
  readonly #failed = (error: PlatformError): void => {
    if (!this.#options.link.isClosed) this.#options.report(error);
  };

  get #key(): string {
    return `${this.#options.prefix}weights`;
  }

  async load(): Promise<void> {
    await this.#options.bus.listen(this.#key, (tenant) => void this.#reload(tenant).catch(this.#failed));
    await this.#read();
  }

  /** @throws CS_VALIDATION_FAILED unless it is above 0 */
  set(tenant: string, weight: number): void {
    if (!(weight > 0 && weight < Infinity)) {
      throw new PlatformError("CS_VALIDATION_FAILED", "A tenant's weight is a number above 0.");
    }
    if (weight === 1) this.#weights.delete(tenant);
    else this.#weights.set(tenant, weight);
    this.#write(tenant).catch(this.#failed);
  }

  /** Brings a shard that begins to be consumed up to date. */
  async apply(shards: readonly Shard[]): Promise<void> {
    if (this.#weights.size > 0)
      await Promise.all(shards.map((shard) => shard.setWeights([...this.#weights])));
  }

  async #write(tenant: string): Promise<void> {
    const { link, topics } = this.#options;
    const weight = this.#weights.get(tenant);
    const own = topics.consumed().map((shard) => shard.setWeights([[tenant, weight]]));
    const shared =
      weight === undefined
        ? link.send("HDEL", this.#key, tenant)
        : link.send("HSET", this.#key, tenant, weight);
    await Promise.all([...own, shared, link.send("PUBLISH", this.#key, tenant)]);
  }

  async #reload(tenant: string): Promise<void> {
    await this.#read();
    const weight = this.#weights.get(tenant);
    await Promise.all(this.#options.topics.consumed().map((shard) => shard.setWeights([[tenant, weight]])));
  }

  async #read(): Promise<void> {
    const weights = (await this.#options.link.send("HGETALL", this.#key)) as Record<string, string>;
    this.#weights = new Map(Object.entries(weights).map(([tenant, weight]) => [tenant, Number(weight)]));
  }
}

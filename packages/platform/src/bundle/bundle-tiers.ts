import { PlatformError } from "@sous/contract";
import { sha256Hex } from "./build-bundle.ts";

/** What an asked tier answered. */
export type TierOutcome = "hit" | "miss" | "corrupt" | "error";

/** One place that bundles are looked for in, from near to far. */
export interface BundleTier {
  /** `disk`, `store` or `durable`: a label of metrics. */
  readonly name: string;
  get(sha256: string): Promise<Uint8Array | undefined>;
  /** Keeps verified bytes, so that the next one finds them here. */
  put(sha256: string, bytes: Uint8Array): Promise<void>;
  /** Sets aside what does not have its hash. */
  quarantine(sha256: string): Promise<void>;
}

export interface BundleTiersOptions {
  /** From near to far; the last one has everything. */
  tiers: readonly BundleTier[];
  /** Where every bundle lies before its version exists, apart from the store (nothing). */
  durable?: Pick<BundleTier, "put"> | undefined;
  /** Most bytes of a bundle. */
  bytesMax: number;
  /** Hears of what a tier did when nobody waits for it. */
  onFault: (error: unknown) => void;
}

/** Where bundles come from and go to. */
export interface BundleTiers {
  /**
   * Fetches a bundle from the nearest tier that has it whole; the nearer ones get it too. However many ask, each tier is
   * asked once at a time.
   * @returns its bytes, which have the hash, or `undefined` where no tier has it
   * @throws CS_BUNDLES_UNAVAILABLE, CS_STORE_UNAVAILABLE or CS_STORE_READ_FAILED where one that may have it did not answer
   */
  load(sha256: string): Promise<Uint8Array | undefined>;
  /** Brings a bundle to the durable tier, where there is one. @throws CS_BUNDLES_UNAVAILABLE */
  publish(sha256: string, bytes: Uint8Array): Promise<void>;
  /** How often each tier answered how; the counts only grow. */
  stats(): readonly { tier: string; outcome: TierOutcome; count: number }[];
}

const OUTCOMES: readonly TierOutcome[] = ["hit", "miss", "corrupt", "error"];

/** Puts tiers together. Nothing is handed over, up or down, without its hash having been checked. */
export function createBundleTiers({ tiers, durable, bytesMax, onFault }: BundleTiersOptions): BundleTiers {
  const counts = new Map(tiers.map(({ name }) => [name, { hit: 0, miss: 0, corrupt: 0, error: 0 }]));
  const flights = new Map<string, Promise<Uint8Array | undefined>>();

  const count = ({ name }: BundleTier, outcome: TierOutcome): void => {
    const own = counts.get(name);
    if (own !== undefined) own[outcome] += 1;
  };

  async function ask(tier: BundleTier, sha256: string): Promise<Uint8Array | undefined> {
    const bytes = await tier.get(sha256).catch((error: unknown) => {
      count(tier, "error");
      throw error;
    });
    if (bytes === undefined) {
      count(tier, "miss");
      return undefined;
    }
    if (bytes.byteLength <= bytesMax && sha256Hex(bytes) === sha256) {
      count(tier, "hit");
      return bytes;
    }
    count(tier, "corrupt");
    onFault(damaged(tier, sha256));
    await tier.quarantine(sha256).catch(onFault);
    return undefined;
  }

  async function fetch(sha256: string): Promise<Uint8Array | undefined> {
    let failure: { error: unknown } | undefined;
    for (const [at, tier] of tiers.entries()) {
      let bytes: Uint8Array | undefined;
      try {
        bytes = await ask(tier, sha256);
      } catch (error) {
        failure ??= { error };
        continue;
      }
      if (bytes === undefined) continue;
      for (const nearer of tiers.slice(0, at)) void nearer.put(sha256, bytes).catch(onFault);
      return bytes;
    }
    if (failure !== undefined) throw failure.error;
    return undefined;
  }

  return {
    load(sha256) {
      const flying = flights.get(sha256);
      if (flying !== undefined) return flying;
      const flight = fetch(sha256).finally(() => flights.delete(sha256));
      flights.set(sha256, flight);
      return flight;
    },
    async publish(sha256, bytes) {
      if (durable === undefined) return;
      if (sha256Hex(bytes) !== sha256) throw damagedDraft();
      await durable.put(sha256, bytes);
    },
    stats: () =>
      [...counts].flatMap(([tier, own]) =>
        OUTCOMES.map((outcome) => ({ tier, outcome, count: own[outcome] })),
      ),
  };
}

function damaged({ name }: BundleTier, sha256: string): PlatformError {
  const message = `bundle ${sha256} in the tier ${name} does not have its hash; it was set aside, and is not run`;
  return new PlatformError("CS_STORE_READ_FAILED", message);
}

const damagedDraft = (): PlatformError =>
  new PlatformError("CS_STORE_READ_FAILED", "the draft's bytes are damaged; upload it again");

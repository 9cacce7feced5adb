import { deadLetterBounds } from "@sous/codeq";
import type { Limits } from "@sous/contract";
import type { Store } from "@sous/store";
import type { InvocationCodeQ } from "../activations/invocation-queue.ts";
import { LiveRegistry } from "../activations/live-registry.ts";
import { createSpending, type Spending } from "../activations/spending.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { createCatalog } from "../catalog/create-catalog.ts";
import type { Config } from "../config/config-schema.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { countDroppedLetters } from "./count-dropped-letters.ts";
import { openCodeQ } from "./open-codeq.ts";

/** Where work runs in this release; a process that runs none says so in the records it begins. */
const TIER = "isolate";
/** A process that has its database for itself hears of each change at once; this is in case one is missed, milliseconds. */
const OWN_CATALOG_TTL_MS = 60_000;

/** What every role stands on: the store, the queue, and what is known of functions and of work that runs here. */
export interface Core extends AsyncDisposable {
  readonly store: Store;
  readonly codeq: InvocationCodeQ;
  readonly catalog: Catalog;
  /** The activations of this process; without an invoker there are none. */
  readonly live: LiveRegistry;
  /** Budgets of tenants and tokens, where there are any. */
  readonly spending: Spending | undefined;
  readonly tier: string;
}

export interface CoreOptions {
  config: Config;
  limits: Limits;
  store: Store;
  /** (none are kept) */
  metrics?: Metrics;
  now: () => number;
  /** Hears of faults nobody waits for. */
  onFault: (error: unknown) => void;
  /** Hears of what an operator should change (nobody). */
  onWarning?: (text: string) => void;
}

/** Opens what every role stands on. @throws CS_CODEQ_PUBLISH_FAILED when the queue's server cannot be reached */
export async function openCore(options: CoreOptions): Promise<Core> {
  const { config, limits, store, metrics, now, onFault, onWarning = () => {} } = options;
  const codeq = await openCodeQ({
    url: config.codeq,
    journal: store.journal,
    now,
    onFault,
    onWarning,
    deadLetters: deadLetterBounds(limits),
    onDeadLettersDropped: metrics && countDroppedLetters({ metrics, now, onWarning }),
  });
  for (const [tenant, weight] of weightsOf(config)) codeq.setWeight(tenant, weight);
  return {
    store,
    codeq,
    catalog: createCatalog({
      store,
      clock: now,
      random: Math.random,
      ...(config.store.startsWith("sqlite:") ? { ttlMs: OWN_CATALOG_TTL_MS } : {}),
    }),
    live: new LiveRegistry(),
    spending: openSpending(config, now),
    tier: TIER,
    [Symbol.asyncDispose]: () => codeq[Symbol.asyncDispose](),
  };
}

/** @returns tenants and their weights, the last word about each */
function weightsOf({ tenant_weights }: Pick<Config, "tenant_weights">): ReadonlyMap<string, number> {
  return new Map(
    tenant_weights.map((text) => {
      const [tenant = "", weight] = text.split("=");
      return [tenant, Number(weight)];
    }),
  );
}

function openSpending({ budgets }: Config, clock: () => number): Spending | undefined {
  return createSpending({
    windowMs: budgets.window_seconds * 1000,
    tenant: {
      invocations: budgets.tenant_invocations,
      cpuMs: budgets.tenant_cpu_ms,
      egressBytes: budgets.tenant_egress_bytes,
    },
    token: {
      invocations: budgets.token_invocations,
      cpuMs: budgets.token_cpu_ms,
      egressBytes: budgets.token_egress_bytes,
    },
    clock,
  });
}

import { PlatformError, type Principal } from "@sous/contract";

/** What may be spent in one window; 0 stands for no bound. */
export interface SpendingLimits {
  invocations: number;
  cpuMs: number;
  egressBytes: number;
}

export interface SpendingOptions {
  /** Length of a window, in milliseconds; windows begin at whole multiples of it. */
  windowMs: number;
  tenant: SpendingLimits;
  /** Of a token's subject within its tenant. */
  token: SpendingLimits;
  /** Epoch milliseconds. */
  clock: () => number;
  /** Accounts remembered in a window (100,000); past it the oldest is forgotten. */
  accountsMax?: number;
}

/**
 * Budgets of tenants and tokens over a window of time. What has begun runs to its end within its own budgets, and
 * is charged then; what comes when a budget is spent is refused until the next window.
 *
 * This is the interface a shared store can stand behind: both calls return at once, so that an implementation
 * for many processes keeps counts of its own and settles them with the others in the background.
 */
export interface Spending {
  /** Counts an invocation. @throws CS_BUDGET_EXHAUSTED naming the budget that is spent */
  admit(tenant: string, principal: Principal): void;
  /** Charges what an attempt used. */
  spend(tenant: string, principal: Principal, cpuMs: number, egressBytes: number): void;
}

const ACCOUNTS_MAX = 100_000;
const NAMES = { invocations: "invocations", cpuMs: "cpu_ms", egressBytes: "egress_bytes" } as const;
const KINDS = ["invocations", "cpuMs", "egressBytes"] as const satisfies readonly (keyof SpendingLimits)[];

const bounds = (limits: SpendingLimits): boolean => KINDS.some((kind) => limits[kind] > 0);

/** Keeps the counts in memory: they begin anew with the process. @returns nothing where nothing is bounded */
export function createSpending(options: SpendingOptions): Spending | undefined {
  const { windowMs, tenant: ofTenant, token: ofToken, clock, accountsMax = ACCOUNTS_MAX } = options;
  if (!bounds(ofTenant) && !bounds(ofToken)) return undefined;
  const accounts = new Map<string, SpendingLimits>();
  let window = -1;

  function account(key: string): SpendingLimits {
    const now = Math.floor(clock() / windowMs);
    if (now !== window) {
      window = now;
      accounts.clear();
    }
    let found = accounts.get(key);
    if (found === undefined) {
      found = { invocations: 0, cpuMs: 0, egressBytes: 0 };
      if (accounts.size >= accountsMax) {
        for (const oldest of accounts.keys()) {
          accounts.delete(oldest);
          break;
        }
      }
      accounts.set(key, found);
    }
    return found;
  }

  function check(spent: SpendingLimits, limits: SpendingLimits, whose: "tenant" | "token"): void {
    for (const kind of KINDS) {
      if (limits[kind] === 0 || spent[kind] < limits[kind]) continue;
      const nowMs = clock();
      const resetsAtMs = (Math.floor(nowMs / windowMs) + 1) * windowMs;
      const budget = `${whose}_${NAMES[kind]}`;
      throw new PlatformError(
        "CS_BUDGET_EXHAUSTED",
        `the budget ${budget} of ${limits[kind]} in ${windowMs / 1000} s is spent; it begins anew at ${new Date(resetsAtMs).toISOString()}`,
        {
          details: { budget, limit: limits[kind], resets_at_ms: resetsAtMs },
          retryAfterSeconds: (resetsAtMs - nowMs) / 1000,
        },
      );
    }
  }

  return {
    admit(tenant, principal) {
      const own = bounds(ofTenant) ? account(tenant) : undefined;
      const key = bounds(ofToken) ? tokenKey(tenant, principal) : undefined;
      const theirs = key === undefined ? undefined : account(key);
      if (own !== undefined) check(own, ofTenant, "tenant");
      if (theirs !== undefined) check(theirs, ofToken, "token");
      if (own !== undefined) own.invocations++;
      if (theirs !== undefined) theirs.invocations++;
    },
    spend(tenant, principal, cpuMs, egressBytes) {
      const key = tokenKey(tenant, principal);
      for (const one of [account(tenant), key === undefined ? undefined : account(key)]) {
        if (one === undefined) continue;
        one.cpuMs += cpuMs;
        one.egressBytes += egressBytes;
      }
    },
  };
}

/** Callers of public versions without a token of ours are all one: only their tenant's budget holds them. */
function tokenKey(tenant: string, { sub, roles }: Principal): string | undefined {
  return sub === "anonymous" && roles.length === 0 ? undefined : `${tenant}\n${sub}`;
}

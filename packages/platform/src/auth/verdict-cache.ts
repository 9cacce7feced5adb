import { LIMITS, PlatformError } from "@sous/contract";
import { LRUCache } from "lru-cache";
import { bearerToken } from "./bearer-token.ts";
import type { Identity } from "./identity.ts";

/** What a verifier found out about a token. */
export interface Verdict {
  readonly identity: Identity;
  /** Epoch milliseconds; `null` for never. */
  readonly expiresAtMs: number | null;
  /** Of a local token; what `forget` is told. */
  readonly tokenId?: string;
}

export interface VerdictCacheOptions {
  /** @throws CS_AUTHN_INVALID_TOKEN or CS_AUTHN_EXPIRED_TOKEN for a bad token; any other failure is not remembered */
  verify(token: string, requestId: string | undefined): Promise<Verdict>;
  /** Epoch milliseconds. */
  clock: () => number;
  /** How long a good token is trusted (60,000). */
  ttlMs?: number;
  /** How long a bad token is refused without asking again (5,000). */
  refusalTtlMs?: number;
  /** Most headers kept, good and bad each (10,000). */
  entriesMax?: number;
}

export interface VerdictCache {
  authenticate(authorization: string | undefined, requestId?: string): Identity | Promise<Identity>;
  forget(tokenId: string): void;
}

interface Trusted {
  readonly identity: Identity;
  readonly untilMs: number;
  readonly tokenId: string | undefined;
}

interface Refused {
  readonly error: PlatformError;
  readonly untilMs: number;
}

/** Most characters of headers kept, good and bad each: garbage in long headers must not fill the memory. */
const HEADER_CHARACTERS_MAX = 8 * 1024 * 1024;
const sizeCalculation = (_value: Trusted | Refused, header: string): number => header.length + 1;

/**
 * Remembers what tokens proved, so that a warm request costs one look-up in a map.
 *
 * The key is the header as it came, not its hash: hashing would cost more than the rest of the check. These
 * strings live in this process's memory only, in a bounded cache, and are gone after their time at the
 * latest when their place is needed. Verification itself always hashes and compares in constant time.
 */
export function createVerdictCache(options: VerdictCacheOptions): VerdictCache {
  const { verify, clock, ttlMs = LIMITS.tokenCacheTtlMs, refusalTtlMs = 5000, entriesMax = 10_000 } = options;
  const bounds = { max: entriesMax, maxSize: HEADER_CHARACTERS_MAX, sizeCalculation };
  const trusted = new LRUCache<string, Trusted>(bounds);
  const refused = new LRUCache<string, Refused>(bounds);
  const pending = new Map<string, Promise<Identity>>();
  /** Goes up with each revocation, so that a check that began before one is not remembered after it. */
  let generation = 0;

  const check = async (header: string, requestId: string | undefined): Promise<Identity> => {
    const begun = generation;
    try {
      const { identity, expiresAtMs, tokenId } = await verify(bearerToken(header), requestId);
      const nowMs = clock();
      const untilMs = Math.min(nowMs + ttlMs, expiresAtMs ?? Infinity);
      if (untilMs > nowMs && begun === generation) trusted.set(header, { identity, untilMs, tokenId });
      return identity;
    } catch (error) {
      if (error instanceof PlatformError && error.status === 401) {
        refused.set(header, { error, untilMs: clock() + refusalTtlMs });
      }
      throw error;
    }
  };

  return {
    authenticate(authorization, requestId) {
      if (authorization === undefined) {
        throw new PlatformError("CS_AUTHN_MISSING_TOKEN", "send `Authorization: Bearer <token>`");
      }
      const known = trusted.get(authorization);
      if (known !== undefined) {
        if (clock() < known.untilMs) return known.identity;
        trusted.delete(authorization);
      }
      const refusal = refused.get(authorization);
      if (refusal !== undefined) {
        if (clock() < refusal.untilMs) throw new PlatformError(refusal.error.code, refusal.error.message);
        refused.delete(authorization);
      }
      const running = pending.get(authorization);
      if (running !== undefined) return running;
      const started = check(authorization, requestId);
      const ended = () => {
        if (pending.get(authorization) === started) pending.delete(authorization);
      };
      pending.set(authorization, started);
      started.then(ended, ended);
      return started;
    },
    forget(tokenId) {
      generation++;
      // Nobody may join a check that began before the revocation either.
      pending.clear();
      for (const [header, entry] of trusted) if (entry.tokenId === tokenId) trusted.delete(header);
    },
  };
}

import { LIMITS, PlatformError } from "@sous/contract";
import { LRUCache } from "lru-cache";
import { bearerToken } from "./bearer-token.ts";
import type { Identity } from "./identity.ts";

/** What a verifier found out about a token. */
export interface Verdict {
  readonly identity: Identity;
  /** Epoch milliseconds; `null` for never. */
  readonly expiresAtMs: number | null;
  /** Of a local token, and of its user's `identity.userId`: what `forget` is told. */
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
  /**
   * How long beyond its time a good token is trusted while it cannot be verified, never past its expiry (0: not at all,
   * the failure is the caller's).
   */
  staleMs?: number;
  /** Most headers kept, good and bad each (10,000). */
  entriesMax?: number;
}

export interface VerdictCache {
  authenticate(authorization: string | undefined, requestId?: string): Identity | Promise<Identity>;
  /** Drops what is known of a token, or of all tokens of a user. */
  forget(id: string): void;
}

interface Trusted {
  readonly identity: Identity;
  readonly untilMs: number;
  /** Until then it counts while nobody can verify it. */
  readonly staleUntilMs: number;
  /** When it is tried to verify it again. */
  retryAtMs: number;
  readonly tokenId: string | undefined;
}

interface Refused {
  readonly error: PlatformError;
  readonly untilMs: number;
}

/** Most characters of headers kept, good and bad each: garbage in long headers must not fill the memory. */
const HEADER_CHARACTERS_MAX = 8 * 1024 * 1024;
/** How long a caller with a token that was good waits for a verifier that says nothing, and how soon it is asked again. */
const PATIENCE_MS = 500;
const RETRY_MS = 1000;
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
  const { staleMs = 0 } = options;
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
      if (untilMs > nowMs && begun === generation) {
        const staleUntilMs = Math.min(untilMs + staleMs, expiresAtMs ?? Infinity);
        trusted.set(header, { identity, untilMs, staleUntilMs, retryAtMs: 0, tokenId });
      }
      return identity;
    } catch (error) {
      if (error instanceof PlatformError && error.status === 401) {
        trusted.delete(header);
        refused.set(header, { error, untilMs: clock() + refusalTtlMs });
      }
      throw error;
    }
  };

  const begin = (header: string, requestId: string | undefined): Promise<Identity> => {
    const started = check(header, requestId);
    const ended = () => {
      if (pending.get(header) === started) pending.delete(header);
    };
    pending.set(header, started);
    started.then(ended, ended);
    return started;
  };

  /** What a check says; what was known before where it cannot be made, or takes too long. */
  async function orKnown(known: Trusted, checking: Promise<Identity>): Promise<Identity> {
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => resolve(undefined), PATIENCE_MS);
    try {
      const identity = await Promise.race([checking, late]);
      if (identity !== undefined) return identity;
    } catch (error) {
      if (!(error instanceof PlatformError) || error.status < 500) throw error;
    } finally {
      clearTimeout(timer);
    }
    known.retryAtMs = clock() + RETRY_MS;
    return known.identity;
  }

  return {
    authenticate(authorization, requestId) {
      if (authorization === undefined) {
        throw new PlatformError("CS_AUTHN_MISSING_TOKEN", "send `Authorization: Bearer <token>`");
      }
      const known = trusted.get(authorization);
      if (known !== undefined) {
        const nowMs = clock();
        if (nowMs < known.untilMs) return known.identity;
        if (nowMs < known.staleUntilMs) {
          if (nowMs < known.retryAtMs) return known.identity;
          return orKnown(known, pending.get(authorization) ?? begin(authorization, requestId));
        }
        trusted.delete(authorization);
      }
      const refusal = refused.get(authorization);
      if (refusal !== undefined) {
        if (clock() < refusal.untilMs) throw new PlatformError(refusal.error.code, refusal.error.message);
        refused.delete(authorization);
      }
      return pending.get(authorization) ?? begin(authorization, requestId);
    },
    forget(id) {
      generation++;
      // Nobody may join a check that began before the revocation either.
      pending.clear();
      // Whose tokens were refused is not known, and one of them may count again now: a user was enabled.
      refused.clear();
      for (const [header, { tokenId, identity }] of trusted) {
        if (tokenId === id || identity.userId === id) trusted.delete(header);
      }
    },
  };
}

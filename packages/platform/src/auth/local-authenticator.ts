import { PlatformError } from "@sous/contract";
import type { TokenStore } from "@sous/store";
import type { Authenticator } from "./authenticator.ts";
import { parseLocalToken, secretMatches } from "./local-token.ts";
import { createVerdictCache, type Verdict } from "./verdict-cache.ts";

export interface LocalAuthenticatorOptions {
  tokens: TokenStore;
  /** Epoch milliseconds. */
  clock: () => number;
  /** How long a good token is trusted without asking the store (60,000). */
  ttlMs?: number;
}

/** How long a token that was good is trusted while the store is away: calls of what is published go on meanwhile. */
const STALE_MS = 10 * 60_000;
/** Compared with when there is no such token, so that an unknown id costs as much as a wrong secret. */
const NOBODY_SHA256 = "0".repeat(64);

/**
 * `auth: local:`: API tokens of our own, kept hashed in the store. A revocation in this process counts at
 * once, one in another process within `ttlMs`; while the store is away, what was good stays good for ten minutes.
 */
export function createLocalAuthenticator(options: LocalAuthenticatorOptions): Authenticator {
  const { tokens, clock } = options;

  const verify = async (token: string): Promise<Verdict> => {
    const parts = parseLocalToken(token);
    if (parts === undefined) throw invalid();
    const stored = await read(tokens, parts.tokenId);
    const matches = secretMatches(parts.secret, stored?.secretSha256 ?? NOBODY_SHA256);
    if (stored === undefined || !matches || stored.record.revoked_at_ms !== null) throw invalid();
    const { record } = stored;
    if (record.expires_at_ms !== null && record.expires_at_ms <= clock()) {
      throw new PlatformError("CS_AUTHN_EXPIRED_TOKEN", "the token has expired; create a new one");
    }
    const principal = Object.freeze({ sub: record.sub, roles: record.roles });
    return {
      identity: Object.freeze({ principal, tenant: record.tenant }),
      expiresAtMs: record.expires_at_ms,
      tokenId: record.token_id,
    };
  };
  const cache = createVerdictCache({
    verify,
    clock,
    staleMs: STALE_MS,
    ...(options.ttlMs === undefined ? {} : { ttlMs: options.ttlMs }),
  });

  return {
    authenticate: (authorization, info) => cache.authenticate(authorization, info?.requestId),
    forget: (tokenId) => cache.forget(tokenId),
    async [Symbol.asyncDispose]() {},
  };
}

async function read(tokens: TokenStore, tokenId: string): ReturnType<TokenStore["get"]> {
  try {
    return await tokens.get(tokenId);
  } catch (cause) {
    throw new PlatformError("CS_AUTHN_UNAVAILABLE", "tokens cannot be checked now; try again", { cause });
  }
}

const invalid = (): PlatformError =>
  new PlatformError("CS_AUTHN_INVALID_TOKEN", "the token is unknown, wrong or revoked");

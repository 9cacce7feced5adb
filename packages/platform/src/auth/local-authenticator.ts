import { PlatformError, type TokenRecord } from "@sous/contract";
import type { Store } from "@sous/store";
import type { Authenticator } from "./authenticator.ts";
import { mayGive } from "./authorize.ts";
import { parseLocalToken, secretMatches } from "./local-token.ts";
import { USER_KIND, userKey, userOf } from "./user-records.ts";
import { createVerdictCache, type Verdict } from "./verdict-cache.ts";

/** Where tokens are, and the users some of them belong to. */
type Accounts = Pick<Store, "tokens" | "resources">;

export interface LocalAuthenticatorOptions {
  store: Accounts;
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
 * `auth: local:`: API tokens of our own, kept hashed in the store. A token that belongs to a user counts while the user
 * is active, with those of its roles that the user has. A revocation, or a change of the user, counts at once in this
 * process and within `ttlMs` in another; while the store is away, what was good stays good for ten minutes.
 */
export function createLocalAuthenticator(options: LocalAuthenticatorOptions): Authenticator {
  const { store, clock } = options;

  const verify = async (token: string): Promise<Verdict> => {
    const parts = parseLocalToken(token);
    if (parts === undefined) throw invalid();
    const stored = await read(() => store.tokens.get(parts.tokenId));
    const matches = secretMatches(parts.secret, stored?.secretSha256 ?? NOBODY_SHA256);
    if (stored === undefined || !matches || stored.record.revoked_at_ms !== null) throw invalid();
    const { record } = stored;
    if (record.expires_at_ms !== null && record.expires_at_ms <= clock()) {
      throw new PlatformError("CS_AUTHN_EXPIRED_TOKEN", "the token has expired; create a new one");
    }
    const principal = Object.freeze({ sub: record.sub, roles: await rolesOf(store, record) });
    const user = record.user_id === undefined ? {} : { userId: record.user_id };
    return {
      identity: Object.freeze({ principal, tenant: record.tenant, ...user }),
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

/** @returns what a token may now. @throws CS_AUTHN_INVALID_TOKEN where its user is gone or disabled */
async function rolesOf({ resources }: Accounts, token: TokenRecord): Promise<string[]> {
  if (token.user_id === undefined) return token.roles;
  const stored = await read(() => resources.get(USER_KIND, userKey(token.tenant, token.sub)));
  const user = stored === undefined ? undefined : userOf(stored);
  // A user who was deleted and made again under the name is another one.
  if (user?.user_id !== token.user_id || user.state !== "active") throw invalid();
  return token.roles.filter((role) => mayGive(user.roles, role));
}

async function read<T>(get: () => Promise<T>): Promise<T> {
  try {
    return await get();
  } catch (cause) {
    throw new PlatformError("CS_AUTHN_UNAVAILABLE", "tokens cannot be checked now; try again", { cause });
  }
}

const invalid = (): PlatformError =>
  new PlatformError("CS_AUTHN_INVALID_TOKEN", "the token is unknown, wrong or revoked");

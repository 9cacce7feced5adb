import { createHash, timingSafeEqual } from "node:crypto";
import { type Principal, type TokenRecord } from "@sous/contract";
import type { TokenStore } from "@sous/store";
import { ulid } from "ulid";

const SECRET_BYTES = 32;
const TOKEN_PATTERN = /^sous_([0-9a-z]{26})_([A-Za-z0-9_-]{43})$/;

export interface IssueTokenOptions {
  tokens: TokenStore;
  tenant: string;
  principal: Principal;
  /** Whose it is, where it belongs to a user; the principal's `sub` is the user's name then. */
  userId?: string | undefined;
  /** Epoch milliseconds; `null` for never. */
  expiresAtMs: number | null;
  /** Epoch milliseconds. */
  clock: () => number;
  /** @returns that many cryptographically random bytes */
  randomBytes: (size: number) => Uint8Array;
}

/**
 * Makes a local API token, `sous_<id>_<secret>` with a secret of 256 random bits, and keeps its hash.
 * @returns the record and the token itself, which nobody can show again
 * @throws CS_STORE_… when it cannot be kept
 */
export async function issueToken(
  options: IssueTokenOptions,
): Promise<{ record: TokenRecord; token: string }> {
  const { tokens, tenant, principal, userId, expiresAtMs, clock, randomBytes } = options;
  const nowMs = clock();
  const secret = Buffer.from(randomBytes(SECRET_BYTES)).toString("base64url");
  const record: TokenRecord = {
    token_id: ulid(nowMs).toLowerCase(),
    sub: principal.sub,
    tenant,
    roles: [...principal.roles],
    ...(userId === undefined ? {} : { user_id: userId }),
    created_at_ms: nowMs,
    expires_at_ms: expiresAtMs,
    revoked_at_ms: null,
  };
  await tokens.create(record, sha256(secret).toString("hex"));
  return { record, token: `sous_${record.token_id}_${secret}` };
}

/** @returns id and secret of a local token, or `undefined` for anything else */
export function parseLocalToken(token: string): { tokenId: string; secret: string } | undefined {
  const [, tokenId, secret] = TOKEN_PATTERN.exec(token) ?? [];
  return tokenId === undefined || secret === undefined ? undefined : { tokenId, secret };
}

/** Compares a secret with the stored hash in a time that tells nothing. */
export function secretMatches(secret: string, secretSha256: string): boolean {
  const stored = Buffer.from(secretSha256, "hex");
  const given = sha256(secret);
  return stored.length === given.length && timingSafeEqual(stored, given);
}

// The secret has 256 random bits: a fast hash is enough, there is nothing to guess.
const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();

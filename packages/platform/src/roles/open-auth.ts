import { randomBytes } from "node:crypto";
import { DEFAULT_TENANT, PlatformError } from "@sous/contract";
import type { Store, TokenStore } from "@sous/store";
import type { Authenticator } from "../auth/authenticator.ts";
import { createLocalAuthenticator } from "../auth/local-authenticator.ts";
import { issueToken } from "../auth/local-token.ts";
import { createNoneAuthenticator } from "../auth/none-authenticator.ts";
import type { Config } from "../config/config-schema.ts";

const LOOPBACK = new Set(["127.0.0.1", "::1", "localhost"]);

/**
 * Opens the authenticator the configuration names.
 * @throws CS_VALIDATION_FAILED for `none` on an address others can reach, and for a scheme without a driver
 */
export async function openAuth(config: Config, store: Store, clock: () => number): Promise<Authenticator> {
  const { auth, host, auth_key, auth_cache_seconds } = config;
  if (auth === "none") {
    if (!LOOPBACK.has(host)) {
      throw new PlatformError(
        "CS_VALIDATION_FAILED",
        `auth none serves this machine only, and host is ${host}; set auth to local: or listen on 127.0.0.1`,
      );
    }
    return createNoneAuthenticator();
  }
  const ttlMs = auth_cache_seconds * 1000;
  if (auth === "local:") return createLocalAuthenticator({ store, clock, ttlMs });
  if (auth.startsWith("tikti+")) {
    const { createTiktiAuthenticator } = await import("../auth/tikti-authenticator.ts");
    return createTiktiAuthenticator({
      url: auth,
      clock,
      ttlMs,
      ...(auth_key === "" ? {} : { apiKey: auth_key }),
    });
  }
  throw new PlatformError("CS_VALIDATION_FAILED", "auth: this release has none, local: and tikti+https://…");
}

/**
 * Makes the first token of a new installation, so that somebody can get in.
 * @returns the token, shown once, or `undefined` when there are tokens
 */
export async function firstToken(tokens: TokenStore, clock: () => number): Promise<string | undefined> {
  const existing = await tokens.list(DEFAULT_TENANT, { limit: 1 });
  if (existing.items.length > 0) return undefined;
  const principal = { sub: "admin", roles: ["admin"] };
  const issued = await issueToken({
    tokens,
    tenant: DEFAULT_TENANT,
    principal,
    expiresAtMs: null,
    clock,
    randomBytes,
  });
  return issued.token;
}

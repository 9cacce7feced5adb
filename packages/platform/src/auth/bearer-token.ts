import { PlatformError } from "@sous/contract";

/** Longer ones are refused unread: no issuer makes them and each costs a hash. */
const TOKEN_LENGTH_MAX = 16_384;

/**
 * Takes the token out of an `Authorization: Bearer …` header.
 * @throws CS_AUTHN_MISSING_TOKEN without the header or with another scheme, CS_AUTHN_INVALID_TOKEN for one
 *   that is empty, too long or not made of the characters of RFC 6750
 */
export function bearerToken(authorization: string | undefined): string {
  if (authorization === undefined || authorization === "") {
    throw new PlatformError("CS_AUTHN_MISSING_TOKEN", "send `Authorization: Bearer <token>`");
  }
  if (authorization.length > TOKEN_LENGTH_MAX) {
    throw new PlatformError("CS_AUTHN_INVALID_TOKEN", "the token is too long");
  }
  const scheme = /^bearer +/i.exec(authorization);
  if (scheme === null) {
    throw new PlatformError("CS_AUTHN_MISSING_TOKEN", "only `Authorization: Bearer <token>` is understood");
  }
  const token = authorization.slice(scheme[0].length);
  if (!/^[A-Za-z0-9._~+/=-]+$/.test(token)) {
    throw new PlatformError("CS_AUTHN_INVALID_TOKEN", "the token has characters no token has");
  }
  return token;
}

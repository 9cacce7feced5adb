import type { Identity } from "./identity.ts";

/** What an authenticator may pass on about the request. */
export interface RequestInfo {
  readonly requestId?: string;
}

/** Turns the `Authorization` header of a request into an identity. */
export interface Authenticator extends AsyncDisposable {
  /**
   * @param authorization the header as received, `undefined` when absent
   * @returns the identity: at once where it is cached, which is the usual case
   * @throws CS_AUTHN_MISSING_TOKEN, CS_AUTHN_INVALID_TOKEN, CS_AUTHN_EXPIRED_TOKEN, or
   *   CS_AUTHN_UNAVAILABLE when nobody can tell now; also as a rejection of the promise
   */
  authenticate(authorization: string | undefined, info?: RequestInfo): Identity | Promise<Identity>;
  /** Drops what is cached of a token, or of a user's tokens, by id; what this authenticator does not know is ignored. */
  forget(id: string): void;
}

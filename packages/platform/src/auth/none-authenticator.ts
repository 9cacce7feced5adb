import type { Authenticator } from "./authenticator.ts";
import type { Identity } from "./identity.ts";

const ANONYMOUS: Identity = Object.freeze({
  principal: Object.freeze({ sub: "anonymous", roles: ["admin"] }),
  tenant: null,
});

/**
 * `auth: none`: every caller is `anonymous` with the role `admin`, in whichever tenant the path names.
 * Only for servers that listen on loopback and check {@link isLocalRequest} on each request.
 */
export const createNoneAuthenticator = (): Authenticator => ({
  authenticate: () => ANONYMOUS,
  forget() {},
  async [Symbol.asyncDispose]() {},
});

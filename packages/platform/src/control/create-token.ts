import { type CreateTokenBody, type CreateTokenReply, PlatformError } from "@sous/contract";
import { authorize, homeTenant, isAdmin } from "../auth/authorize.ts";
import type { Identity } from "../auth/identity.ts";
import { issueToken } from "../auth/local-token.ts";
import type { ControlContext } from "./control-context.ts";

/**
 * Makes an API token for a tenant the caller may act in.
 * @throws CS_AUTHZ_DENIED for a role the caller does not have itself, unless it is admin
 */
export async function createToken(
  { store, clock, randomBytes }: ControlContext,
  identity: Identity,
  body: CreateTokenBody,
): Promise<CreateTokenReply> {
  const tenant = body.tenant ?? homeTenant(identity);
  authorize(identity, "cs:token:create", tenant);
  const { principal } = identity;
  const foreign = body.roles.find((role) => !isAdmin(principal) && !principal.roles.includes(role));
  if (foreign !== undefined) {
    throw new PlatformError("CS_AUTHZ_DENIED", `you do not have the role ${foreign} and cannot pass it on`);
  }
  const expiresAtMs = body.expires_in_seconds === undefined ? null : clock() + body.expires_in_seconds * 1000;
  return issueToken({
    tokens: store.tokens,
    tenant,
    principal: { sub: body.sub, roles: [...new Set(body.roles)] },
    expiresAtMs,
    clock,
    randomBytes,
  });
}

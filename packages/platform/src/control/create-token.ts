import { type CreateTokenBody, type CreateTokenReply, PlatformError } from "@sous/contract";
import { authorize, homeTenant, mayGive, requireGivable } from "../auth/authorize.ts";
import type { Identity } from "../auth/identity.ts";
import { issueToken } from "../auth/local-token.ts";
import { findUser } from "../auth/user-records.ts";
import type { ControlContext } from "./control-context.ts";

/**
 * Makes an API token for a tenant the caller may act in: for a subject, or for one of its users. What a user's token
 * makes is that user's, too, unless it may make users: else it would outlive them.
 * @throws CS_AUTHZ_DENIED for a role the caller does not have itself, unless it is admin, and for another's token;
 *   CS_NOT_FOUND, CS_CONFLICT, CS_VALIDATION_FAILED for a user who is unknown, disabled or has no such role
 */
export async function createToken(
  context: ControlContext,
  identity: Identity,
  body: CreateTokenBody,
): Promise<CreateTokenReply> {
  const { store, clock, randomBytes } = context;
  const tenant = body.tenant ?? homeTenant(identity);
  authorize(identity, "cs:token:create", tenant);
  const owner = await ownerOf(context, tenant, body);
  const { userId } = identity;
  const isOwn = userId === undefined ? owner.userId === undefined : userId === owner.userId;
  if (!isOwn) authorize(identity, "cs:user:create", tenant);
  requireGivable(identity, owner.roles);
  const expiresAtMs = body.expires_in_seconds === undefined ? null : clock() + body.expires_in_seconds * 1000;
  return issueToken({
    tokens: store.tokens,
    tenant,
    principal: { sub: owner.sub, roles: [...new Set(owner.roles)] },
    userId: owner.userId,
    expiresAtMs,
    clock,
    randomBytes,
  });
}

/** Whom a token speaks for, and with which roles. */
interface Owner {
  sub: string;
  roles: readonly string[];
  userId?: string;
}

async function ownerOf(
  { store }: ControlContext,
  tenant: string,
  { sub, user: name, roles }: CreateTokenBody,
): Promise<Owner> {
  if ((sub === undefined) === (name === undefined)) throw invalid("a token is for a sub or for a user");
  if (sub !== undefined) {
    if (roles === undefined) throw invalid("a token for a sub needs roles");
    return { sub, roles };
  }
  const { user } = await findUser(store.resources, tenant, name ?? "");
  if (user.state !== "active") {
    throw new PlatformError("CS_CONFLICT", `user ${user.name} is disabled; enable it first`);
  }
  const foreign = roles?.find((role) => !mayGive(user.roles, role));
  if (foreign !== undefined) throw invalid(`user ${user.name} does not have the role ${foreign}`);
  return { sub: user.name, roles: roles ?? user.roles, userId: user.user_id };
}

const invalid = (message: string): PlatformError => new PlatformError("CS_VALIDATION_FAILED", message);

import { isTenantId, PlatformError } from "@sous/contract";
import Type, { type Static } from "typebox";
import { Compile } from "typebox/compile";
import type { Verdict } from "./verdict-cache.ts";

// Foreign replies: fields we do not know are ignored, fields we use are checked.
const Introspection = Type.Object({
  active: Type.Boolean(),
  sub: Type.Optional(Type.String({ maxLength: 256 })),
  tenant: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  roles: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: 256 })),
  exp: Type.Optional(Type.Number()),
});
const User = Type.Object({
  localId: Type.Optional(Type.String({ maxLength: 256 })),
  email: Type.Optional(Type.String({ maxLength: 256 })),
  role: Type.Optional(Type.String({ maxLength: 256 })),
  tenantId: Type.Optional(Type.String()),
  status: Type.Optional(Type.String()),
});
const Lookup = Type.Object({ users: Type.Array(User) });
const Payload = Type.Object({
  sub: Type.Optional(Type.String({ maxLength: 256 })),
  tid: Type.Optional(Type.String()),
  exp: Type.Optional(Type.Number()),
});
type Payload = Static<typeof Payload>;

const introspection = Compile(Introspection);
const lookup = Compile(Lookup);
const payload = Compile(Payload);

/**
 * Reads what Tikti answered about a token, in either of its two shapes: the introspection
 * `{active, sub, tenant, roles, exp}` or the account look-up `{users: [{localId, role, tenantId, status}]}`.
 * @param token the token asked about; its payload fills in what the look-up does not tell. It is believed
 *   only because Tikti has just vouched for the token
 * @throws CS_AUTHN_INVALID_TOKEN, CS_AUTHN_EXPIRED_TOKEN, or CS_AUTHN_UNAVAILABLE for a reply of neither shape
 */
export function readTiktiReply(reply: unknown, token: string, nowMs: number): Verdict {
  const claims = jwtPayload(token);
  if (introspection.Check(reply)) {
    if (!reply.active) throw refused();
    return verdict(
      reply.sub ?? claims.sub,
      reply.tenant ?? claims.tid,
      reply.roles ?? [],
      reply.exp ?? claims.exp,
      nowMs,
    );
  }
  if (lookup.Check(reply)) {
    const user = reply.users[0];
    if (user === undefined || !isActive(user.status)) throw refused();
    const sub = claims.sub ?? user.localId ?? user.email;
    return verdict(sub, user.tenantId ?? claims.tid, userRoles(user.role), claims.exp, nowMs);
  }
  throw new PlatformError("CS_AUTHN_UNAVAILABLE", "the identity service answered in a shape nobody knows");
}

function verdict(
  sub: string | undefined,
  tenant: string | undefined,
  roles: string[],
  expSeconds: number | undefined,
  nowMs: number,
): Verdict {
  if (sub === undefined || sub === "") throw refused();
  // A token of no tenant may do nothing: `null` would mean every tenant.
  if (tenant === undefined || !isTenantId(tenant)) {
    throw new PlatformError("CS_AUTHN_INVALID_TOKEN", "the token names no tenant of this platform");
  }
  const expiresAtMs = expSeconds === undefined ? null : expSeconds * 1000;
  if (expiresAtMs !== null && !(expiresAtMs > nowMs)) {
    throw new PlatformError("CS_AUTHN_EXPIRED_TOKEN", "the token has expired; log in again");
  }
  const principal = Object.freeze({ sub, roles });
  return { identity: Object.freeze({ principal, tenant }), expiresAtMs };
}

const isActive = (status: string | undefined): boolean =>
  status === undefined || status === "" || status.toUpperCase() === "ACTIVE";

/** `ADMIN` is our `admin`; any other role counts as written and in lower case. */
function userRoles(role: string | undefined): string[] {
  if (role === undefined || role === "") return [];
  if (role === "ADMIN") return ["admin"];
  const lower = role.toLowerCase();
  return lower === role || lower === "admin" ? [role] : [role, lower];
}

function jwtPayload(token: string): Payload {
  const part = token.split(".")[1];
  if (part === undefined) return {};
  try {
    const claims: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return payload.Check(claims) ? claims : {};
  } catch {
    // An opaque token with a dot in it: nothing to fill in from.
    return {};
  }
}

const refused = (): PlatformError =>
  new PlatformError("CS_AUTHN_INVALID_TOKEN", "the identity service does not accept the token");

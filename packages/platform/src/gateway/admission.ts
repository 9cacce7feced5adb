import {
  LATEST_ALIAS,
  PlatformError,
  type Principal,
  type RefTarget,
  type VersionRecord,
} from "@sous/contract";
import type { Spending } from "../activations/spending.ts";
import type { Action } from "../auth/actions.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import { authorize, homeTenant, isPublic, requireTriggerRole } from "../auth/authorize.ts";
import type { Identity } from "../auth/identity.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { DirectRequest } from "../http/direct-request.ts";
import type { RateLimiter } from "../http/rate-limiter.ts";

/** What a caller wants to run. `tenant` is `undefined` in the short forms: the caller's own. */
export interface Wanted {
  tenant: string | undefined;
  namespace: string;
  name: string;
  refText: string;
  target: RefTarget | undefined;
  action: Action;
  trigger: "http" | "api";
}

export interface Admitted {
  tenant: string;
  principal: Principal;
  version: VersionRecord;
  isPublic: boolean;
}

export interface AdmissionOptions {
  auth: Authenticator;
  catalog: Catalog;
  /** Absent: no limit. */
  limits: {
    client?: RateLimiter | undefined;
    tenant?: RateLimiter | undefined;
    function?: RateLimiter | undefined;
  };
  clientIp: (request: DirectRequest) => string;
  /** Budgets of tenants and tokens; absent: none. */
  spending?: Spending | undefined;
}

/**
 * Somebody without a token of ours may still call a public version, whose own token it may carry.
 * @returns why the caller is a stranger. @throws what else went wrong
 */
function strangerOf(error: unknown): PlatformError {
  if (error instanceof PlatformError && error.status === 401) return error;
  throw error;
}

const isNotFound = (error: unknown): boolean =>
  error instanceof PlatformError && error.code === "CS_NOT_FOUND";

const ANONYMOUS: Principal = Object.freeze({ sub: "anonymous", roles: [] }) as Principal;

/** Who asks: the request, and the token it carries. */
export interface Caller {
  request: DirectRequest;
  authorization: string | undefined;
}

/** Who comes in. Everything throws PlatformErrors, also as rejections. */
export interface Admission {
  /** Checks a whole request. */
  admit(caller: Caller, wanted: Wanted): Admitted | Promise<Admitted>;
  /** Checks what can be checked before the body names the reference; `admitIdentified` does the rest. */
  identify(caller: Caller, wanted: { action: Action; tenant: string }): void | Promise<void>;
  admitIdentified(caller: Caller, wanted: Wanted): Admitted | Promise<Admitted>;
}

/**
 * Checks requests in the order of SPEC 9: client rate, token, action, tenant, rates, reference, role list.
 * Everything it needs is usually in memory, so that the answer is usually there at once.
 */
export function createAdmission(options: AdmissionOptions): Admission {
  const { auth, catalog, limits, clientIp, spending } = options;

  function limitClient(request: DirectRequest): void {
    if (limits.client !== undefined) take(limits.client, clientIp(request), "from this address");
  }

  function take(limiter: RateLimiter | undefined, key: string, whose: string): void {
    if (limiter === undefined) return;
    const wait = limiter.take(key);
    if (wait === true) return;
    throw new PlatformError("CS_RATE_LIMITED", `too many requests ${whose}`, { retryAfterSeconds: wait });
  }

  function resolve(
    tenant: string,
    { namespace, name, target }: Wanted,
  ): VersionRecord | Promise<VersionRecord> {
    const newest = target !== undefined && "alias" in target && target.alias === LATEST_ALIAS;
    return catalog.resolve({ tenant, namespace, name }, newest ? undefined : target);
  }

  function withIdentity(identity: Identity | PlatformError, wanted: Wanted): Admitted | Promise<Admitted> {
    let tenant: string;
    if (identity instanceof PlatformError) {
      // Without a token only a public version can be called, and which one it is the path has to say.
      if (wanted.tenant === undefined || wanted.trigger !== "http") throw identity;
      tenant = wanted.tenant;
    } else {
      tenant = wanted.tenant ?? homeTenant(identity);
      authorize(identity, wanted.action, tenant);
    }
    const version = resolve(tenant, wanted);
    if (!(version instanceof Promise)) return withVersion(identity, tenant, version, wanted);
    return version.then(
      (found) => withVersion(identity, tenant, found, wanted),
      (error: unknown) => {
        // Which functions there are is not for strangers to learn.
        throw identity instanceof PlatformError && isNotFound(error) ? identity : error;
      },
    );
  }

  function withVersion(
    identity: Identity | PlatformError,
    tenant: string,
    version: VersionRecord,
    wanted: Wanted,
  ): Admitted {
    const { authz } = version.config;
    const roles =
      wanted.trigger === "http"
        ? authz.invoke_http_roles
        : (authz.invoke_api_roles ?? authz.invoke_http_roles);
    const open = isPublic(roles);
    let principal = ANONYMOUS;
    if (!(identity instanceof PlatformError)) {
      ({ principal } = identity);
      requireTriggerRole(principal, roles);
    } else if (!open) throw identity;
    limitWork(tenant, wanted);
    spending?.admit(tenant, principal);
    return { tenant, principal, version, isPublic: open };
  }

  /** Counted last: calls that are refused anyway must not use up what a tenant may do. */
  function limitWork(tenant: string, { namespace, name, refText }: Wanted): void {
    take(limits.tenant, tenant, "of this tenant");
    if (limits.function === undefined) return;
    take(limits.function, `${tenant}/${namespace}/${name}/${refText}`, "for this function");
  }

  function admit(authorization: string | undefined, wanted: Wanted): Admitted | Promise<Admitted> {
    let identity: Identity | Promise<Identity>;
    try {
      identity = auth.authenticate(authorization);
    } catch (error) {
      return withIdentity(strangerOf(error), wanted);
    }
    if (!(identity instanceof Promise)) return withIdentity(identity, wanted);
    return identity.catch(strangerOf).then((known) => withIdentity(known, wanted));
  }

  return {
    admit({ request, authorization }, wanted) {
      limitClient(request);
      return admit(authorization, wanted);
    },
    identify({ request, authorization }, { action, tenant }) {
      limitClient(request);
      const identity = auth.authenticate(authorization);
      if (identity instanceof Promise) return identity.then((known) => authorize(known, action, tenant));
      authorize(identity, action, tenant);
    },
    admitIdentified: ({ authorization }, wanted) => admit(authorization, wanted),
  };
}

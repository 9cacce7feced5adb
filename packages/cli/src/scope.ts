import type { ApiScope } from "./client/api-client.ts";
import type { Credentials } from "./credentials.ts";

/** Options every command takes. */
export interface GlobalOptions {
  json?: boolean;
  apiUrl?: string;
  gatewayUrl?: string;
  token?: string;
  tenant?: string;
  namespace?: string;
}

/** Where a command works, and where each part of that comes from. */
export interface ResolvedScope extends ApiScope {
  /** Where `/v1/web` answers; the API's address unless roles run apart. */
  gatewayUrl: string;
  tokenSource: "flag" | "environment" | "login" | "none";
}

const DEFAULT_API_URL = "http://localhost:8080";
/** The contract's defaults, written out: loading the whole contract would cost each command 0.2 s. */
export const LOCAL_SCOPE = { tenant: "t_default", namespace: "default" };

/**
 * Settles server, caller, tenant and namespace: flags over environment over the last login over local defaults.
 * What a login stored is for its server only, so that a token never reaches another.
 */
export function resolveScope(
  flags: GlobalOptions,
  env: Readonly<Record<string, string | undefined>>,
  stored: Credentials | undefined,
): ResolvedScope {
  const fromEnv = (name: string): string | undefined => env[`SOUS_${name}`] || env[`CS_${name}`] || undefined;
  const apiUrl = trimUrl(flags.apiUrl ?? fromEnv("API_URL") ?? stored?.api_url ?? DEFAULT_API_URL);
  const login = stored !== undefined && trimUrl(stored.api_url) === apiUrl ? stored : undefined;
  const envToken = fromEnv("TOKEN");
  const token = flags.token ?? envToken ?? login?.token;
  return {
    apiUrl,
    gatewayUrl: trimUrl(flags.gatewayUrl ?? fromEnv("GATEWAY_URL") ?? login?.gateway_url ?? apiUrl),
    token,
    tokenSource: flags.token ? "flag" : envToken ? "environment" : login ? "login" : "none",
    tenant: flags.tenant ?? fromEnv("TENANT") ?? login?.tenant ?? LOCAL_SCOPE.tenant,
    namespace: flags.namespace ?? fromEnv("NAMESPACE") ?? login?.namespace ?? LOCAL_SCOPE.namespace,
  };
}

const trimUrl = (url: string): string => url.replace(/\/+$/, "");

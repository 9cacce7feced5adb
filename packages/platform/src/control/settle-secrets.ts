import { PlatformError, type SecretGrant, type VersionConfig } from "@sous/contract";
import { parseSecretRef, type SecretPlace, secretRefOf } from "../secrets/secret-ref.ts";
import { coversHost, httpRulesOf } from "./http-rules.ts";

/** Where a function lives, as far as its secrets are concerned. */
export interface FunctionScope {
  tenant: string;
  namespace: string;
}

/**
 * Brings the secrets of a config into their long form and checks that they make sense together.
 * @throws CS_VALIDATION_FAILED for a name that is none or another tenant's, for two secrets that code could not
 *   tell apart, for one that is both handed out and bound, and for a binding to a host the version may not call
 */
export function settleSecrets(wanted: readonly SecretGrant[], scope: FunctionScope): SecretGrant[] {
  const refs = new Map<string, string>();
  const kinds = new Map<string, "plain" | "bound">();
  const settled = new Map<string, SecretGrant>();
  for (const grant of wanted) {
    const given = typeof grant === "string" ? grant : grant.name;
    const place = parseSecretRef(given.includes("/") ? given : secretRefOf({ ...scope, name: given }));
    if (place === undefined) {
      throw invalid(`secret ${given} must be a name, or read kv:tenant/namespace/name`);
    }
    if (place.tenant !== scope.tenant) throw invalid(`secret ${given} belongs to another tenant`);
    const ref = secretRefOf(place);
    if ((refs.get(place.name) ?? ref) !== ref) {
      throw invalid(`secrets: two are called ${place.name}, and code could not tell them apart; rename one`);
    }
    const kind = typeof grant === "string" ? "plain" : "bound";
    if ((kinds.get(ref) ?? kind) !== kind) {
      throw invalid(`secret ${given} is bound to a host and handed to the code as well; choose one`);
    }
    refs.set(place.name, ref);
    kinds.set(ref, kind);
    if (typeof grant === "string") settled.set(ref, ref);
    else settled.set(JSON.stringify([ref, grant.host, grant.header]), { ...grant, name: ref });
  }
  return [...settled.values()];
}

const invalid = (message: string): PlatformError => new PlatformError("CS_VALIDATION_FAILED", message);

/**
 * Tells what of a version's secrets will not work as things are. A secret may be set after the version that uses it,
 * so that this is no reason to refuse.
 * @param has whether a secret has a value
 */
export async function secretWarnings(
  config: Pick<VersionConfig, "secrets" | "capabilities" | "on_success" | "on_failure">,
  has: (place: SecretPlace) => Promise<boolean>,
): Promise<string[]> {
  const { secrets, capabilities, on_success, on_failure } = config;
  const warnings = new Set<string>();
  const rules = httpRulesOf(capabilities.http);
  for (const grant of secrets) {
    const ref = typeof grant === "string" ? grant : grant.name;
    const place = parseSecretRef(ref);
    if (place !== undefined && !(await has(place))) {
      warnings.add(`secret ${ref} has no value yet; set it with \`cs secret set ${place.name}\``);
    }
    if (typeof grant === "string" || rules.some(({ host }) => coversHost(grant.host, host))) continue;
    warnings.add(
      `secret ${ref} is bound to ${grant.host}, which the version may not call; add it to capabilities.http`,
    );
  }
  for (const destination of [on_success, on_failure]) {
    if (destination === undefined || !("webhook" in destination)) continue;
    const { secret, url } = destination.webhook;
    const place = secret === undefined ? undefined : parseSecretRef(secret);
    if (place !== undefined && !(await has(place))) {
      warnings.add(
        `secret ${secret} has no value yet, and signs webhooks; make one with \`cs webhook secret ${place.name}\``,
      );
    }
    if (secret === undefined) {
      warnings.add(`webhook ${url} is not signed: its receiver cannot tell who sends; give it a secret`);
    }
  }
  return [...warnings];
}

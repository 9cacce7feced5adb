import { createSecretKey, randomBytes } from "node:crypto";
import { PlatformError } from "@sous/contract";
import type { SecretReader } from "../secrets/secret-vault.ts";
import type { SecretScope } from "./host-powers.ts";
import { quoted, textArgument } from "./parse-arguments.ts";
import { createVersionSecrets, type VersionSecrets } from "./version-secrets.ts";

const CALL = "cs.secrets.get";
/** Versions whose secrets are remembered; the one that was not used for longest goes first. */
const VERSIONS_MAX = 4096;

/** `cs.secrets.get`, and the secrets of each version that has any. */
export interface SecretPower {
  /** Answers `cs.secrets.get(name)` with JSON text: the value, or the placeholder of a secret bound to a host. */
  get(scope: SecretScope, args: readonly unknown[]): Promise<string>;
  /** @returns the secrets of a version, `undefined` for a version without any */
  of(scope: SecretScope): VersionSecrets | undefined;
}

export function createSecretPower(reader: SecretReader): SecretPower {
  const salt = createSecretKey(randomBytes(32));
  const versions = new Map<string, VersionSecrets>();

  const of = (scope: SecretScope): VersionSecrets | undefined => {
    if (scope.secrets.length === 0) return undefined;
    const owner = `${scope.tenant}/${scope.namespace}/${scope.function}@${scope.version}`;
    let secrets = versions.get(owner);
    if (secrets === undefined) {
      const [oldest] = versions.keys();
      if (versions.size >= VERSIONS_MAX && oldest !== undefined) versions.delete(oldest);
      secrets = createVersionSecrets(scope.secrets, owner, salt);
    } else versions.delete(owner);
    versions.set(owner, secrets);
    return secrets;
  };

  return {
    of,
    async get(scope, args) {
      const name = textArgument(CALL, "name", args[0]);
      const secrets = of(scope);
      const secret = secrets?.find(name);
      if (secrets === undefined || secret === undefined) {
        const what = `the secret ${quoted(name)} is not one of the version's`;
        throw new PlatformError(
          "CS_RUNTIME_CAPABILITY_DENIED",
          `${CALL}: ${what}; publish it with that name in the config's secrets (\`--secrets\`)`,
        );
      }
      const value = await reader.read(secret.place);
      if (secret.bindings.length > 0) return JSON.stringify(secret.placeholder);
      secrets.used(secret, value);
      return JSON.stringify(value);
    },
  };
}

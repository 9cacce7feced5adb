import { LIMITS, PlatformError, type RekeyReply, type SecretRecord } from "@sous/contract";
import type { SecretStore } from "@sous/store";
import { rekeySecrets } from "./rekey-secrets.ts";
import { openSecret, sealSecret } from "./seal-secret.ts";
import type { SecretKeys } from "./secret-keys.ts";
import { type SecretPlace, secretRefOf } from "./secret-ref.ts";

/** Reads the values of secrets. Only the execution plane has one. */
export interface SecretReader {
  /** @throws CS_SECRET_NOT_FOUND, CS_SECRET_UNAVAILABLE */
  read(place: SecretPlace): Promise<string>;
}

/** Sets secrets and tells which there are; it has no way to give a value back. */
export interface SecretWriter {
  /** @throws CS_VALIDATION_FAILED, CS_PAYLOAD_TOO_LARGE, CS_CONFLICT past what a namespace may hold */
  put(place: SecretPlace, value: string): Promise<SecretRecord>;
  has(place: SecretPlace): Promise<boolean>;
  /**
   * Encrypts secrets anew with the current key, a part of all at a time; see `rekeySecrets`.
   * @param isNew with a key that is made now
   */
  rekey(cursor: string | undefined, isNew: boolean): Promise<RekeyReply>;
}

export interface SecretVaultOptions {
  store: SecretStore;
  keys: SecretKeys;
  /** Epoch milliseconds. */
  clock: () => number;
  /** Most bytes of a value in UTF-8 (LIMITS.secretBytesMax). */
  bytesMax?: number;
}

/** Makes the one place where values and keys meet; the store has only what is sealed. */
export function createSecretVault(options: SecretVaultOptions): SecretReader & SecretWriter {
  const { store, keys, clock, bytesMax = LIMITS.secretBytesMax } = options;
  return {
    async put(place, value) {
      // Half a character would come back as another one.
      if (value === "" || !value.isWellFormed()) {
        throw new PlatformError("CS_VALIDATION_FAILED", "value must be text, and not empty");
      }
      if (Buffer.byteLength(value) > bytesMax) {
        throw new PlatformError("CS_PAYLOAD_TOO_LARGE", `a secret holds at most ${bytesMax} bytes`);
      }
      const { tenant, namespace, name } = place;
      return await store.put({ tenant, namespace }, { name, ...sealSecret(keys, place, value) }, clock());
    },
    async has({ tenant, namespace, name }) {
      return (await store.get({ tenant, namespace }, name)) !== undefined;
    },
    async rekey(cursor, isNew) {
      if (isNew) keys.renew();
      return await rekeySecrets({ store, keys, clock }, cursor);
    },
    async read(place) {
      const { tenant, namespace, name } = place;
      const found = await store.get({ tenant, namespace }, name);
      if (found !== undefined) return openSecret(keys, place, found.sealed);
      throw new PlatformError(
        "CS_SECRET_NOT_FOUND",
        `secret ${secretRefOf(place)} has no value; set it with \`cs secret set ${name}\``,
      );
    },
  };
}

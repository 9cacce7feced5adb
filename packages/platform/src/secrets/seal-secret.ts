import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { PlatformError } from "@sous/contract";
import type { SecretKeys } from "./secret-keys.ts";
import type { SecretPlace } from "./secret-ref.ts";

const CIPHER = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const FORM = "1";

export interface Sealed {
  /** `1.<key id>.<nonce, ciphertext and tag in base64url>` */
  sealed: string;
  key_id: string;
}

/**
 * Encrypts a value for its place: moved to another name, namespace or tenant it does not open.
 * @see NIST SP 800-38D: 2^32 random nonces a key at most
 */
export function sealSecret(keys: SecretKeys, place: SecretPlace, value: string): Sealed {
  const { id, key } = keys.current();
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(boundTo(place, id));
  const bytes = Buffer.concat([nonce, cipher.update(value, "utf8"), cipher.final(), cipher.getAuthTag()]);
  return { sealed: `${FORM}.${id}.${bytes.toString("base64url")}`, key_id: id };
}

/** @throws CS_SECRET_UNAVAILABLE without its key, and for text that was changed or moved */
export function openSecret(keys: SecretKeys, place: SecretPlace, sealed: string): string {
  const [form, id = "", text = ""] = sealed.split(".");
  const key = form === FORM ? keys.find(id) : undefined;
  if (key === undefined) {
    throw unavailable(
      `secret ${place.name} was encrypted with the key ${id}, which this server does not have`,
    );
  }
  const bytes = Buffer.from(text, "base64url");
  try {
    const decipher = createDecipheriv(CIPHER, key.key, bytes.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(boundTo(place, id));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const body = bytes.subarray(NONCE_BYTES, -TAG_BYTES);
    return Buffer.concat([decipher.update(body), decipher.final()]).toString("utf8");
  } catch (cause) {
    throw unavailable(`secret ${place.name} does not open: what the store holds was changed`, cause);
  }
}

const boundTo = ({ tenant, namespace, name }: SecretPlace, keyId: string): Buffer =>
  Buffer.from(JSON.stringify(["sous.secret", FORM, keyId, tenant, namespace, name]));

const unavailable = (message: string, cause?: unknown): PlatformError =>
  new PlatformError("CS_SECRET_UNAVAILABLE", message, { cause });

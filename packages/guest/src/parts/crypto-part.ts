import { hmac } from "@noble/hashes/hmac.js";
import { sha1 } from "@noble/hashes/legacy.js";
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js";
import type { PartContext, PartExports } from "../part-context.ts";
import { createDomError, type DomError } from "./dom-error.ts";

const HASHES = { "SHA-1": sha1, "SHA-256": sha256, "SHA-384": sha384, "SHA-512": sha512 } as const;
type HashName = keyof typeof HASHES;
const RANDOM_BYTES_MAX = 65_536;
const INTEGER_ARRAYS = new Set([
  "Int8Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "BigInt64Array",
  "BigUint64Array",
]);

/** `crypto`: random values, digests, HMAC. */
export function createPart(context: PartContext): PartExports {
  const domError = createDomError(context);
  const fill = (bytes: Uint8Array): void => {
    const text = context.random(bytes.length);
    for (let index = 0; index < bytes.length; index++) bytes[index] = text.charCodeAt(index);
  };
  const crypto = {
    getRandomValues<View extends ArrayBufferView>(view: View): View {
      const name = (view as unknown as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] ?? "";
      if (!ArrayBuffer.isView(view) || !INTEGER_ARRAYS.has(name)) {
        throw domError("The data must be an integer typed array", "TypeMismatchError");
      }
      if (view.byteLength > RANDOM_BYTES_MAX) {
        throw domError(`At most ${RANDOM_BYTES_MAX} bytes at a time`, "QuotaExceededError");
      }
      fill(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
      return view;
    },
    randomUUID(): string {
      const bytes = new Uint8Array(16);
      fill(bytes);
      return uuidOf(bytes);
    },
    subtle: createSubtle(domError),
  };
  return { crypto };
}

/** Version 4, variant 1 (RFC 9562). */
function uuidOf(bytes: Uint8Array): string {
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  let text = "";
  for (const [index, byte] of bytes.entries()) {
    if (index === 4 || index === 6 || index === 8 || index === 10) text += "-";
    text += byte.toString(16).padStart(2, "0");
  }
  return text;
}

class CryptoKey {
  readonly type = "secret";
  readonly extractable: boolean;
  readonly algorithm: { name: "HMAC"; hash: { name: HashName }; length: number };
  readonly usages: readonly string[];
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, hash: HashName, extractable: boolean, usages: readonly string[]) {
    this.#bytes = bytes;
    this.extractable = extractable;
    this.usages = Object.freeze([...usages]);
    this.algorithm = { name: "HMAC", hash: { name: hash }, length: bytes.length * 8 };
  }

  static bytesOf(key: CryptoKey): Uint8Array {
    return key.#bytes;
  }
}

function createSubtle(domError: DomError): object {
  const hashOf = (algorithm: unknown): HashName => {
    const name = nameOf(algorithm);
    if (name in HASHES) return name as HashName;
    throw domError(`"${name}" is not supported; use SHA-1, SHA-256, SHA-384 or SHA-512`, "NotSupportedError");
  };
  const needHmac = (algorithm: unknown): void => {
    const name = nameOf(algorithm);
    if (name !== "HMAC") throw domError(`"${name}" is not supported; use HMAC`, "NotSupportedError");
  };
  const macOf = (algorithm: unknown, key: CryptoKey, usage: string, data: unknown): Uint8Array => {
    needHmac(algorithm);
    if (!key.usages.includes(usage)) throw domError(`The key is not for "${usage}"`, "InvalidAccessError");
    return hmac(HASHES[key.algorithm.hash.name], CryptoKey.bytesOf(key), copyOf(data));
  };
  return {
    async digest(algorithm: unknown, data: unknown): Promise<ArrayBuffer> {
      return bufferOf(HASHES[hashOf(algorithm)](copyOf(data)));
    },
    async importKey(
      format: string,
      data: unknown,
      algorithm: { hash?: unknown },
      extractable: boolean,
      usages: string[],
    ): Promise<CryptoKey> {
      needHmac(algorithm);
      if (format !== "raw") throw domError(`"${format}" is not supported; use "raw"`, "NotSupportedError");
      return new CryptoKey(copyOf(data), hashOf(algorithm.hash), extractable, usages);
    },
    async sign(algorithm: unknown, key: CryptoKey, data: unknown): Promise<ArrayBuffer> {
      return bufferOf(macOf(algorithm, key, "sign", data));
    },
    async verify(algorithm: unknown, key: CryptoKey, signature: unknown, data: unknown): Promise<boolean> {
      const mac = macOf(algorithm, key, "verify", data);
      const given = copyOf(signature);
      // Every byte is looked at, so that the time tells nothing about the first wrong one.
      let different = mac.length ^ given.length;
      for (const [index, byte] of mac.entries()) different |= byte ^ (given[index] ?? 0);
      return different === 0;
    },
  };
}

function nameOf(algorithm: unknown): string {
  const name = typeof algorithm === "string" ? algorithm : (algorithm as { name?: unknown } | null)?.name;
  return typeof name === "string" ? name.toUpperCase() : "";
}

function copyOf(data: unknown): Uint8Array {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  if (data instanceof ArrayBuffer) return new Uint8Array(data.slice(0));
  throw new TypeError("The data must be an ArrayBuffer or a view of one");
}

const bufferOf = (bytes: Uint8Array): ArrayBuffer => bytes.slice().buffer as ArrayBuffer;

import { createHash, createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { PlatformError } from "@sous/contract";

export interface SecretKey {
  /** Ten characters of the key's hash: tells keys apart and tells nothing of them. */
  id: string;
  key: KeyObject;
}

/** The keys that secrets are encrypted with. */
export interface SecretKeys {
  /** @returns the key for new values. @throws CS_SECRET_UNAVAILABLE where there is none and none can be made */
  current(): SecretKey;
  /** @returns the key a value was encrypted with, an older one too, or `undefined` */
  find(id: string): SecretKey | undefined;
}

export interface SecretKeysOptions {
  /** Keys of the operator, the newest first; when there is one, the file is not used. */
  configured: readonly string[];
  /** Folder of data; the key file is made there when it is first needed. */
  folder: string;
}

const KEY_BYTES = 32;
const FILE_NAME = "secrets.key";

/**
 * Opens the keys: those the operator gives, or else a file of mode 0600 in the data folder, one key a line, the
 * newest first. Whoever has the store alone has no secret.
 * @throws CS_VALIDATION_FAILED for a configured key that is none
 */
export function openSecretKeys({ configured, folder }: SecretKeysOptions): SecretKeys {
  const path = join(folder, FILE_NAME);
  const fixed = configured.map((text) => parseKey(text, "secrets_key"));
  let loaded: readonly SecretKey[] | undefined;
  const keys = (make: boolean): readonly SecretKey[] => {
    if (fixed.length > 0) return fixed;
    loaded ??= readKeyFile(path) ?? (make ? makeKeyFile(path) : undefined);
    return loaded ?? [];
  };
  return {
    current() {
      const [newest] = keys(true);
      if (newest === undefined) throw unavailable(`${path} holds no key; put one back or remove the file`);
      return newest;
    },
    find: (id) => keys(false).find((key) => key.id === id),
  };
}

/** Reads 32 bytes as base64, base64url or hexadecimal. @throws CS_VALIDATION_FAILED, without the text */
function parseKey(text: string, source: string): SecretKey {
  const encoding = /^[0-9A-Fa-f]{64}$/.test(text) ? "hex" : "base64";
  const bytes = Buffer.from(text, encoding);
  if (bytes.length !== KEY_BYTES || (encoding === "base64" && !/^[\w+/-]{43}=?$/.test(text))) {
    throw new PlatformError(
      "CS_VALIDATION_FAILED",
      `${source} must be ${KEY_BYTES} bytes in base64 or hexadecimal; make one with \`openssl rand -base64 32\``,
    );
  }
  const id = createHash("sha256").update(bytes).digest("hex").slice(0, 10);
  return { id, key: createSecretKey(bytes) };
}

function readKeyFile(path: string): readonly SecretKey[] | undefined {
  try {
    const { mode } = statSync(path);
    if (process.platform !== "win32" && (mode & 0o077) !== 0) {
      throw unavailable(`${path} can be read by other users; run \`chmod 600\` on it`);
    }
    const lines = readFileSync(path, "utf8")
      .split("\n")
      .map((line) => line.trim());
    return lines.filter((line) => line !== "").map((line) => parseKey(line, path));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    if (cause instanceof PlatformError) throw cause;
    throw unavailable(`${path} cannot be read`, cause);
  }
}

/** Makes the file whole or not at all, and on disk before the first value is encrypted with it. */
function makeKeyFile(path: string): readonly SecretKey[] | undefined {
  const temporary = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const file = openSync(temporary, "wx", 0o600);
    try {
      writeSync(file, `${randomBytes(KEY_BYTES).toString("base64")}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    try {
      linkSync(temporary, path);
    } catch (cause) {
      // Somebody else was quicker: theirs counts.
      if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
    }
    unlinkSync(temporary);
    syncFolder(dirname(path));
  } catch (cause) {
    throw unavailable(`${path} cannot be made; set SOUS_SECRETS_KEY or mend the folder`, cause);
  }
  return readKeyFile(path);
}

function syncFolder(path: string): void {
  if (process.platform === "win32") return;
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

const unavailable = (message: string, cause?: unknown): PlatformError =>
  new PlatformError("CS_SECRET_UNAVAILABLE", message, { cause });

import { createHash, createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
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
  /**
   * Makes a new key and puts it before the others, which go on opening what they sealed.
   * @throws CS_CONFLICT where the keys are the operator's, who puts a new one first; CS_SECRET_UNAVAILABLE where it cannot
   *   be kept
   */
  renew(): SecretKey;
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
  let loaded: { keys: readonly SecretKey[]; mark: string | undefined } | undefined;
  /** The file's keys, read again when it has changed. While it is gone, what was read goes on opening values. */
  const load = (): readonly SecretKey[] | undefined => {
    const mark = markOf(path);
    const keys = mark === undefined || mark === loaded?.mark ? undefined : readKeyFile(path);
    if (keys !== undefined) loaded = { keys, mark };
    return loaded?.keys;
  };
  const current = (): SecretKey => {
    if (fixed[0] !== undefined) return fixed[0];
    if (load() === undefined) makeKeyFile(path);
    const [newest] = load() ?? [];
    if (newest === undefined) throw unavailable(`${path} holds no key; put one back or remove the file`);
    return newest;
  };
  return {
    current,
    find(id) {
      if (fixed.length > 0) return fixed.find((key) => key.id === id);
      return loaded?.keys.find((key) => key.id === id) ?? load()?.find((key) => key.id === id);
    },
    renew() {
      if (fixed.length > 0) {
        throw new PlatformError(
          "CS_CONFLICT",
          "the keys are those of SOUS_SECRETS_KEY (secrets_key): put a new one first there, and rekey without a new key",
        );
      }
      current();
      addKey(path);
      return current();
    },
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

/** @returns what changes when the file does, `undefined` where there is none */
function markOf(path: string): string | undefined {
  try {
    const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
    return stat && `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.mode}`;
  } catch (cause) {
    throw unavailable(`${path} cannot be read`, cause);
  }
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
function makeKeyFile(path: string): void {
  const temporary = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeWhole(temporary, newLine());
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
}

/**
 * Puts a new key before the others: the file is the old one or the new one, whenever the process is killed, and on disk
 * before the first value is encrypted with it. What stands beside it of one that was cut off holds no key in use.
 */
function addKey(path: string): void {
  const temporary = `${path}.new`;
  try {
    writeWhole(temporary, newLine() + readFileSync(path, "utf8"));
    renameSync(temporary, path);
    syncFolder(dirname(path));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") {
      const message = `another change of the keys is under way, or was cut off: then remove ${temporary} and try again`;
      throw new PlatformError("CS_CONFLICT", message, { cause });
    }
    throw unavailable(`${path} cannot be changed; mend the folder`, cause);
  }
}

const newLine = (): string => `${randomBytes(KEY_BYTES).toString("base64")}\n`;

/** Writes a file that must not be there yet, to disk. */
function writeWhole(path: string, text: string): void {
  const file = openSync(path, "wx", 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
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

import { closeSync, constants, fstatSync, openSync } from "node:fs";
import type { SystemCalls } from "./system-calls.ts";

const VERSION_FLAG = 1;
const RULE_PATH_BENEATH = 1;
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
const EXECUTE = 1n;
const READ_FILE = 4n;
const READ_FOLDER = 8n;
/** Bind and connect of TCP; abstract sockets and signals to processes outside. */
const ALL_OF_TWO = 3n;

/** Every right over files that a version of the interface knows: writing, reading, running, making, removing, `ioctl`. */
const fileRights = (version: number): bigint =>
  version >= 5 ? 0xffffn : version >= 3 ? 0x7fffn : version >= 2 ? 0x3fffn : 0x1fffn;

/**
 * Takes every right over files, TCP, signals and abstract sockets from the calling thread and what it execs, but reading
 * and running what is below `paths`.
 * @returns the version of Landlock; 0 where the kernel has none
 * @see https://docs.kernel.org/userspace-api/landlock.html
 */
export function restrictFiles(system: SystemCalls, paths: readonly string[]): number {
  const version = system.call("landlock_create_ruleset", 0, 0, VERSION_FLAG);
  if (version <= 0) return 0;
  const attributes = Buffer.alloc(24);
  attributes.writeBigUInt64LE(fileRights(version), 0);
  if (version >= 4) attributes.writeBigUInt64LE(ALL_OF_TWO, 8);
  if (version >= 6) attributes.writeBigUInt64LE(ALL_OF_TWO, 16);
  const bytes = version >= 6 ? 24 : version >= 4 ? 16 : 8;
  const ruleset = system.call("landlock_create_ruleset", attributes, bytes, 0);
  if (ruleset < 0) return 0;
  try {
    for (const path of paths) if (!allowReading(system, ruleset, path)) return 0;
    return system.call("landlock_restrict_self", ruleset, 0) === 0 ? version : 0;
  } finally {
    closeSync(ruleset);
  }
}

function allowReading(system: SystemCalls, ruleset: number, path: string): boolean {
  const file = openSync(path, constants.O_RDONLY | O_PATH | O_CLOEXEC);
  try {
    const rule = Buffer.alloc(12);
    const folder = fstatSync(file).isDirectory() ? READ_FOLDER : 0n;
    rule.writeBigUInt64LE(EXECUTE | READ_FILE | folder, 0);
    rule.writeInt32LE(file, 8);
    return system.call("landlock_add_rule", ruleset, RULE_PATH_BENEATH, rule, 0) === 0;
  } finally {
    closeSync(file);
  }
}

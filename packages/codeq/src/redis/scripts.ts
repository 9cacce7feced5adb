import { readFileSync } from "node:fs";
import type { PlatformError } from "@sous/contract";
import { isReply, type RedisLink, type Script, scriptOf } from "@sous/store/redis-link";

export const SHARD_SCRIPTS = [
  "publish",
  "claim",
  "recover",
  "settle",
  "cancel",
  "find",
  "newest",
  "redrive",
  "dead",
  "headings",
  "letter",
  "trim",
  "discard",
] as const;
export type ShardScript = (typeof SHARD_SCRIPTS)[number];

/** Scripts that a server without memory runs all the same: by them what waits in it goes, or is answered. */
const RUN_WHEN_FULL = new Set<string>([
  "claim",
  "recover",
  "settle",
  "cancel",
  "letter",
  "trim",
  "discard",
  "reply",
]);
/** What such a script begins with where the server knows that: Redis 7 and Valkey do. */
const WHEN_FULL = "#!lua flags=allow-oom\n";

export interface Scripts {
  shard: Readonly<Record<ShardScript, Script>>;
  reply: Script;
}

const read = (name: string): string => readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), "utf8");

/**
 * Reads the scripts from their files; those of a shard share the prelude.
 * @param flags whether the server knows flags of scripts
 */
export function readScripts(flags: boolean): Scripts {
  const prelude = read("prelude");
  const scriptNamed = (name: string, source: string): Script =>
    scriptOf(flags && RUN_WHEN_FULL.has(name) ? WHEN_FULL + source : source);
  const shard = Object.fromEntries(
    SHARD_SCRIPTS.map((name) => [name, scriptNamed(name, `${prelude}\n${read(name)}`)]),
  );
  return {
    shard: shard as Record<ShardScript, Script>,
    reply: scriptNamed("reply", read("reply")),
  };
}

/** @returns whether the server knows flags of scripts. @throws CS_CODEQ_PUBLISH_FAILED when it is away */
export async function knowsFlags(link: RedisLink): Promise<boolean> {
  try {
    await link.send("SCRIPT", "LOAD", `${WHEN_FULL}return 1`);
    return true;
  } catch (error) {
    if (isReply(error as PlatformError)) return false;
    throw error;
  }
}

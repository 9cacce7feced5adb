import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { PlatformError } from "@sous/contract";
import { isUnknownScript, type RedisLink } from "./redis-link.ts";

export const SHARD_SCRIPTS = [
  "publish",
  "claim",
  "recover",
  "settle",
  "cancel",
  "redrive",
  "dead",
  "headings",
  "letter",
] as const;
export type ShardScript = (typeof SHARD_SCRIPTS)[number];

/** A script as the server knows it. */
export interface Script {
  source: string;
  sha1: string;
}

export interface Scripts {
  shard: Readonly<Record<ShardScript, Script>>;
  reply: Script;
}

const read = (name: string): string => readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), "utf8");

const scriptOf = (source: string): Script => ({
  source,
  sha1: createHash("sha1").update(source).digest("hex"),
});

/** Reads the scripts from their files; those of a shard share the prelude. */
export function readScripts(): Scripts {
  const prelude = read("prelude");
  const shard = Object.fromEntries(
    SHARD_SCRIPTS.map((name) => [name, scriptOf(`${prelude}\n${read(name)}`)]),
  );
  return { shard: shard as Record<ShardScript, Script>, reply: scriptOf(read("reply")) };
}

/** Makes scripts known to the server, so that calls need only name them. */
export async function loadScripts(link: RedisLink, { shard, reply }: Scripts): Promise<void> {
  await Promise.all(
    [...Object.values(shard), reply].map(({ source }) => link.send("SCRIPT", "LOAD", source)),
  );
}

/** Runs a script; one the server has forgotten, as after a restart, is sent with its text. */
export async function runScript(
  link: RedisLink,
  { sha1, source }: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  try {
    return await link.send("EVALSHA", sha1, keys.length, ...keys, ...args);
  } catch (error) {
    if (!(error instanceof PlatformError) || !isUnknownScript(error)) throw error;
    return await link.send("EVAL", source, keys.length, ...keys, ...args);
  }
}

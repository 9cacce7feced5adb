import { createHash } from "node:crypto";
import { PlatformError } from "@sous/contract";
import { isUnknownScript, type RedisLink, type RedisValue } from "./redis-link.ts";

/** A script as the server knows it. */
export interface Script {
  source: string;
  sha1: string;
}

export const scriptOf = (source: string): Script => ({
  source,
  sha1: createHash("sha1").update(source).digest("hex"),
});

/** Makes scripts known to the server, so that calls need only name them. */
export async function loadScripts(link: RedisLink, scripts: readonly Script[]): Promise<void> {
  await Promise.all(scripts.map(({ source }) => link.send("SCRIPT", "LOAD", source)));
}

/** Runs a script; one the server has forgotten, as after a restart, is sent with its text. */
export async function runScript(
  link: RedisLink,
  { sha1, source }: Script,
  keys: readonly string[],
  args: readonly RedisValue[],
): Promise<unknown> {
  try {
    return await link.send("EVALSHA", sha1, keys.length, keys, args);
  } catch (error) {
    if (!(error instanceof PlatformError) || !isUnknownScript(error)) throw error;
    return await link.send("EVAL", source, keys.length, keys, args);
  }
}

import { readFileSync } from "node:fs";
import { type Script, scriptOf } from "@sous/store/redis-link";

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

export interface Scripts {
  shard: Readonly<Record<ShardScript, Script>>;
  reply: Script;
}

const read = (name: string): string => readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), "utf8");

/** Reads the scripts from their files; those of a shard share the prelude. */
export function readScripts(): Scripts {
  const prelude = read("prelude");
  const shard = Object.fromEntries(
    SHARD_SCRIPTS.map((name) => [name, scriptOf(`${prelude}\n${read(name)}`)]),
  );
  return { shard: shard as Record<ShardScript, Script>, reply: scriptOf(read("reply")) };
}

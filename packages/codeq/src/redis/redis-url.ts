import { PlatformError } from "@sous/contract";

const SHARDS_MAX = 64;

/** Where the server is, and how the queue lies in it. */
export interface RedisTarget {
  host: string;
  port: number;
  db: number;
  username: string | undefined;
  password: string | undefined;
  tls: boolean;
  /** What the names of all keys begin with (`cs:codeq:`). */
  prefix: string;
  /** Into how many parts tenants are spread (1). */
  shards: number;
}

/**
 * Reads `redis[s]://[user:password@]host[:port][/db][?prefix=…&shards=…]`.
 * @throws CS_VALIDATION_FAILED naming what is wrong with it, never showing the password
 */
export function parseRedisUrl(text: string): RedisTarget {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^rediss?:$/.test(url.protocol) || url.hostname === "") {
    throw invalid("must be redis://host[:port][/db] or rediss://…");
  }
  for (const name of url.searchParams.keys()) {
    if (name !== "prefix" && name !== "shards") throw invalid(`knows prefix and shards, not ${name}`);
  }
  const db = url.pathname.replace(/^\//, "");
  if (!/^\d{0,3}$/.test(db)) throw invalid("has a database that is no number");
  const prefix = url.searchParams.get("prefix") ?? "cs:codeq:";
  if (!/^[\w:.-]{1,64}$/.test(prefix)) throw invalid("has a prefix that is not 1–64 of A-Z a-z 0-9 _ : . -");
  const shards = Number(url.searchParams.get("shards") ?? 1);
  if (!Number.isInteger(shards) || shards < 1 || shards > SHARDS_MAX) {
    throw invalid(`has shards that are not 1–${SHARDS_MAX}`);
  }
  return {
    host: url.hostname.replaceAll(/^\[|\]$/g, ""),
    port: url.port === "" ? 6379 : Number(url.port),
    db: Number(db),
    username: url.username === "" ? undefined : decodeURIComponent(url.username),
    password: url.password === "" ? undefined : decodeURIComponent(url.password),
    tls: url.protocol === "rediss:",
    prefix,
    shards,
  };
}

/** @returns the server's address for people, without any secret */
export const shownTarget = ({ host, port }: RedisTarget): string =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`;

const invalid = (problem: string): PlatformError =>
  new PlatformError("CS_VALIDATION_FAILED", `the queue's URL ${problem}`);

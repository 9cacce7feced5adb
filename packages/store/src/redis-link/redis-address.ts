import { PlatformError } from "@sous/contract";

/** Where a server is, and as whom to talk to it. */
export interface RedisAddress {
  host: string;
  port: number;
  db: number;
  username: string | undefined;
  password: string | undefined;
  tls: boolean;
}

/**
 * Reads `redis[s]://[user:password@]host[:port][/db][?setting=…]`.
 * @param what what is read, for messages: "the queue's URL"
 * @param known the settings the URL may have
 * @throws CS_VALIDATION_FAILED naming what is wrong with it, never showing the password
 */
export function parseRedisAddress(
  text: string,
  what: string,
  known: readonly string[],
): { address: RedisAddress; settings: URLSearchParams } {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^rediss?:$/.test(url.protocol) || url.hostname === "") {
    throw invalidUrl(what, "must be redis://host[:port][/db] or rediss://…");
  }
  for (const name of url.searchParams.keys()) {
    if (!known.includes(name)) throw invalidUrl(what, `knows ${known.join(" and ")}, not ${name}`);
  }
  const db = url.pathname.replace(/^\//, "");
  if (!/^\d{0,3}$/.test(db)) throw invalidUrl(what, "has a database that is no number");
  const address = {
    host: url.hostname.replaceAll(/^\[|\]$/g, ""),
    port: url.port === "" ? 6379 : Number(url.port),
    db: Number(db),
    username: url.username === "" ? undefined : decodeURIComponent(url.username),
    password: url.password === "" ? undefined : decodeURIComponent(url.password),
    tls: url.protocol === "rediss:",
  };
  return { address, settings: url.searchParams };
}

/** @returns the server's address for people, without any secret */
export const shownAddress = ({ host, port }: RedisAddress): string =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`;

/** @returns the error for a URL with a problem */
export const invalidUrl = (what: string, problem: string): PlatformError =>
  new PlatformError("CS_VALIDATION_FAILED", `${what} ${problem}`);

import { PlatformError } from "@sous/contract";

/** Where the server is, and how the queue lies in it. */
export interface NatsTarget {
  host: string;
  port: number;
  user: string | undefined;
  password: string | undefined;
  tls: boolean;
  /** What the subjects begin with (`cs.codeq`). */
  prefix: string;
  /** Servers of a cluster that keep the log: 1, 3 or 5 (1). */
  replicas: number;
}

/**
 * Reads `nats[s]://[user:password@]host[:port][?prefix=…&replicas=…]`.
 * @throws CS_VALIDATION_FAILED naming what is wrong with it, never showing the password
 */
export function parseNatsUrl(text: string): NatsTarget {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^natss?:$/.test(url.protocol) || url.hostname === "") {
    throw invalid("must be nats://host[:port] or natss://…");
  }
  if (!/^\/?$/.test(url.pathname)) throw invalid("has a path; the queue's place is prefix=…");
  for (const name of url.searchParams.keys()) {
    if (name !== "prefix" && name !== "replicas")
      throw invalid(`knows the settings prefix and replicas, not ${name}`);
  }
  const prefix = url.searchParams.get("prefix") ?? "cs.codeq";
  if (prefix.length > 64 || !/^[\w-]+(?:\.[\w-]+)*$/.test(prefix)) {
    throw invalid("has a prefix that is not 1–64 of A-Z a-z 0-9 _ - in words joined by dots");
  }
  const replicas = Number(url.searchParams.get("replicas") ?? 1);
  if (![1, 3, 5].includes(replicas)) throw invalid("has replicas that are not 1, 3 or 5");
  return {
    host: url.hostname,
    port: url.port === "" ? 4222 : Number(url.port),
    user: url.username === "" ? undefined : decodeURIComponent(url.username),
    password: url.password === "" ? undefined : decodeURIComponent(url.password),
    tls: url.protocol === "natss:",
    prefix,
    replicas,
  };
}

const invalid = (problem: string): PlatformError =>
  new PlatformError("CS_VALIDATION_FAILED", `the queue's URL ${problem}`);

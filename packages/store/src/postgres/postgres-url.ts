import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import { PlatformError } from "@sous/contract";

const POOL_MIN = 2;
const POOL_MAX = 200;
const POOL_DEFAULT = 10;
const PARAMETERS = ["pool", "sslmode", "sslrootcert", "sslcert", "sslkey"];

/** Where the database is, and how to go there. */
export interface PostgresTarget {
  host: string;
  port: number;
  database: string;
  user: string;
  password: string | undefined;
  /** Connections of this process in all, 2–200; one of them writes. */
  pool: number;
  ssl: ConnectionOptions | false;
}

/**
 * Reads `postgres[ql]://user[:password]@host[:port][/database][?pool=10&sslmode=verify-full&sslrootcert=FILE…]`.
 * The modes of TLS are those of libpq: `disable` (the default), `require` (encrypted, whoever answers),
 * `verify-ca` and `verify-full` (the certificate, and with it the host's name).
 * @throws CS_VALIDATION_FAILED naming what is wrong with it, never showing the password
 */
export function parsePostgresUrl(text: string): PostgresTarget {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^postgres(ql)?:$/.test(url.protocol) || url.hostname === "") {
    throw invalid("must be postgres://user[:password]@host[:port]/database");
  }
  for (const name of url.searchParams.keys()) {
    if (!PARAMETERS.includes(name)) throw invalid(`knows ${PARAMETERS.join(", ")}, not ${name}`);
  }
  const [user, password, database] = [url.username, url.password, url.pathname.slice(1)].map(decoded);
  if (user === undefined || user === "") throw invalid("names no user, as in postgres://user@host/database");
  const pool = Number(url.searchParams.get("pool") ?? POOL_DEFAULT);
  if (!Number.isInteger(pool) || pool < POOL_MIN || pool > POOL_MAX) {
    throw invalid(`has a pool that is not ${POOL_MIN}–${POOL_MAX}`);
  }
  return {
    host: url.hostname.replaceAll(/^\[|\]$/g, ""),
    port: url.port === "" ? 5432 : Number(url.port),
    database: database === undefined || database === "" ? user : database,
    user,
    password: password === "" ? undefined : password,
    pool,
    ssl: sslOf(url.searchParams),
  };
}

/** @returns the database's address for people, without any secret */
export const shownTarget = ({ host, port, database }: PostgresTarget): string =>
  `${host.includes(":") ? `[${host}]` : host}:${port}/${database}`;

function sslOf(parameters: URLSearchParams): ConnectionOptions | false {
  const rootcert = parameters.get("sslrootcert");
  const mode = parameters.get("sslmode") ?? (rootcert === null ? "disable" : "verify-full");
  const options: ConnectionOptions = {};
  if (rootcert !== null) options.ca = fileOf("sslrootcert", rootcert);
  const [cert, key] = [parameters.get("sslcert"), parameters.get("sslkey")];
  if (cert !== null) options.cert = fileOf("sslcert", cert);
  if (key !== null) options.key = fileOf("sslkey", key);
  switch (mode) {
    case "disable":
      return false;
    case "require":
      return { ...options, rejectUnauthorized: false };
    case "verify-ca":
      return { ...options, checkServerIdentity: () => undefined };
    case "verify-full":
      return options;
    default:
      throw invalid("has an sslmode that is not disable, require, verify-ca or verify-full");
  }
}

function fileOf(name: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new PlatformError("CS_VALIDATION_FAILED", `the store's URL has an ${name} that cannot be read`, {
      cause,
    });
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw invalid("has a % that stands for nothing; write it as %25");
  }
}

const invalid = (problem: string): PlatformError =>
  new PlatformError("CS_VALIDATION_FAILED", `the store's URL ${problem}`);

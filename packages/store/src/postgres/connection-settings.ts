import type { ClientConfig } from "pg";
import type { PostgresTarget } from "./postgres-url.ts";

/** How long a server may take. Each is in milliseconds. */
export interface Patience {
  /** For a connection, from its first packet to the end of its login. */
  connectMs: number;
  /** For a statement, locks included, before the server gives it up. */
  statementMs: number;
  /** For an answer of any kind, before the connection counts as lost; longer than `statementMs`. */
  answerMs: number;
}

export const PATIENCE: Patience = { connectMs: 5000, statementMs: 10_000, answerMs: 13_000 };

/**
 * What every connection is opened with. A process that stands still within a transaction holds locks that others
 * wait for: the server ends its session as soon as it would end a statement.
 */
export function connectionSettings(target: PostgresTarget, patience: Patience): ClientConfig {
  return {
    host: target.host,
    port: target.port,
    database: target.database,
    user: target.user,
    ...(target.password === undefined ? {} : { password: target.password }),
    ssl: target.ssl,
    application_name: "sous",
    keepAlive: true,
    connectionTimeoutMillis: patience.connectMs,
    statement_timeout: patience.statementMs,
    idle_in_transaction_session_timeout: patience.statementMs,
    query_timeout: patience.answerMs,
  };
}

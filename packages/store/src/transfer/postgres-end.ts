import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from "kysely";
import { PlatformError } from "@sous/contract";
import type { Client } from "pg";
import { connectionSettings, PATIENCE } from "../postgres/connection-settings.ts";
import { engineFailure } from "../postgres/engine-failure.ts";
import { loadPg } from "../postgres/load-pg.ts";
import { SOLE_WRITER_LOCK } from "../postgres/locks.ts";
import { migrate } from "../postgres/migrate.ts";
import { parsePostgresUrl, shownTarget } from "../postgres/postgres-url.ts";
import { unavailable } from "../postgres/store-errors.ts";
import { COLUMN_TYPES, toWire } from "../postgres/wire-values.ts";
import { POSTGRES } from "../sql/dialect.ts";
import { compileMigrations, type Migration } from "../sql/migrations.ts";
import { messageOf } from "../sql/refusal.ts";
import type { Tables } from "../sql/schema.ts";
import type { Row } from "./kinds.ts";
import { createSqlEnd } from "./sql-end.ts";
import type { OpenEndOptions, StoreEnd } from "./store-end.ts";

/**
 * Opens a PostgreSQL database as an end of a migration. A source is read as of one moment; a target is brought to this release's
 * schema first.
 * @throws CS_VALIDATION_FAILED for a URL that makes no sense, CS_STORE_UNAVAILABLE when it cannot be reached or its schema is
 *   another one, CS_CONFLICT while a platform works on it whose queue lies there
 */
export async function openPostgresEnd({ url, as, exclusive = true, now }: OpenEndOptions): Promise<StoreEnd> {
  const target = parsePostgresUrl(url);
  const place = `postgres://${shownTarget(target)}`;
  const pg = await loadPg();
  const {
    statement_timeout: _none,
    query_timeout: _nor,
    idle_in_transaction_session_timeout: _neither,
    ...settings
  } = connectionSettings(target, PATIENCE);
  const client = new pg.Client({ ...settings, types: COLUMN_TYPES });
  client.on("error", () => {});
  try {
    await client.connect();
    if (exclusive) await takeAlone(client);
    await prepare(client, as, now());
  } catch (cause) {
    await client.end().catch(() => {});
    if (cause instanceof PlatformError) throw cause;
    throw unavailable(`${shownTarget(target)} cannot be opened`, cause);
  }
  const guard = async <T>(
    code: "CS_STORE_READ_FAILED" | "CS_STORE_WRITE_FAILED",
    ask: () => Promise<T>,
  ): Promise<T> => {
    try {
      return await ask();
    } catch (cause) {
      if (engineFailure(cause) !== undefined) throw unavailable(`${shownTarget(target)} went away`, cause);
      throw new PlatformError(code, `${place}: ${messageOf(cause)}`, { cause });
    }
  };
  return createSqlEnd({
    place,
    engine: "postgres",
    all: (sql, values) =>
      guard("CS_STORE_READ_FAILED", async () => (await client.query<Row>(sql, values.map(toWire))).rows),
    async transaction(body) {
      await guard("CS_STORE_WRITE_FAILED", () => client.query("begin"));
      try {
        await body();
        await guard("CS_STORE_WRITE_FAILED", () => client.query("commit"));
      } catch (error) {
        await client.query("rollback").catch(() => {});
        throw error;
      }
    },
    close: () => client.end(),
  });
}

async function takeAlone(client: Client): Promise<void> {
  const { rows } = await client.query<{ taken: boolean }>("select pg_try_advisory_lock($1) as taken", [
    SOLE_WRITER_LOCK,
  ]);
  if (rows[0]?.taken !== true) {
    const message = "a platform works on this database, with its queue in memory; stop it first";
    throw new PlatformError("CS_CONFLICT", message);
  }
}

async function prepare(client: Client, as: OpenEndOptions["as"], nowMs: number): Promise<void> {
  const migrations = postgresMigrations();
  if (as === "target") {
    await client.query("set synchronous_commit = on");
    await migrate(client, migrations, nowMs);
    return;
  }
  const { rows: found } = await client.query<{ number: number }>(
    "select coalesce(max(number), 0)::integer as number from schema_migrations",
  );
  const version = found[0]?.number ?? 0;
  if (version !== migrations.length) {
    const message = `the database has schema version ${version}, this release has ${migrations.length}; start a platform of this release on it once`;
    throw new PlatformError("CS_STORE_UNAVAILABLE", message);
  }
  await client.query("begin isolation level repeatable read read only");
}

function postgresMigrations(): Migration[] {
  const db = new Kysely<Tables>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (kysely) => new PostgresIntrospector(kysely),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  });
  return compileMigrations(db, POSTGRES);
}

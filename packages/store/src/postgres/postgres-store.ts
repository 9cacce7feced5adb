import { randomUUID } from "node:crypto";
import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from "kysely";
import { allCommands } from "../sql/commands/all-commands.ts";
import { POSTGRES } from "../sql/dialect.ts";
import { compileMigrations, type Migration } from "../sql/migrations.ts";
import type { Tables } from "../sql/schema.ts";
import { compileStatements } from "../sql/statements.ts";
import { createSqlStores, type StoreBounds } from "../sql/stores/create-sql-stores.ts";
import type { Store } from "../store.ts";
import { BatchWriter } from "./batch-writer.ts";
import { connectionSettings, PATIENCE, type Patience } from "./connection-settings.ts";
import { loadPg, type Pg } from "./load-pg.ts";
import { SWEEP_LOCK } from "./locks.ts";
import { migrate } from "./migrate.ts";
import { PoolReader } from "./pool-reader.ts";
import { parsePostgresUrl, type PostgresTarget, shownTarget } from "./postgres-url.ts";
import { Prepared } from "./prepared.ts";
import { unavailable } from "./store-errors.ts";

export interface PostgresStoreOptions extends StoreBounds {
  /** `postgres://user[:password]@host[:port]/database[?pool=10&sslmode=…]`; see `parsePostgresUrl`. */
  url: string;
  /** The clock, epoch milliseconds (`Date.now`). */
  now?: (() => number) | undefined;
  /** Whether this process refuses to write beside another one that said the same (no). */
  isSoleWriter?: boolean | undefined;
  /** Most writes that may wait for the server (20 000); further ones are refused with CS_STORE_UNAVAILABLE. */
  unwrittenMax?: number | undefined;
  /** Most bytes of writes that may wait for the server (256 MiB). */
  unwrittenBytesMax?: number | undefined;
  /** Least milliseconds between two commits that only hold finished activations and logs (5). */
  relaxedPaceMs?: number | undefined;
  /** How long the server may take. */
  patience?: Partial<Patience> | undefined;
}

/** As one batch it must be through well before its answers count as lost. */
const UNWRITTEN_MAX = 20_000;
const UNWRITTEN_BYTES_MAX = 256 * 1024 * 1024;
const RELAXED_PACE_MS = 5;
/** How long a writer that has gone stays known: long after anybody asks for its last batch. */
const WRITER_KEPT = "7 days";

/**
 * Opens the store in a PostgreSQL database, which any number of processes may share. One connection writes, in
 * groups; the others read.
 * @throws CS_VALIDATION_FAILED for a URL that makes no sense, CS_STORE_UNAVAILABLE when the database cannot be reached
 *   or comes from a newer release, CS_CONFLICT when another process is the sole writer
 */
export async function createPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  const target = parsePostgresUrl(options.url);
  const patience = { ...PATIENCE, ...options.patience };
  const now = options.now ?? Date.now;
  const pg = await loadPg();
  const db = new Kysely<Tables>({ dialect: COMPILE_ONLY });
  const statements = compileStatements(db, POSTGRES);
  const prepared = new Prepared();
  const isSole = options.isSoleWriter ?? false;
  const writer = await opened(target, async () => {
    await prepareDatabase({
      pg,
      target,
      patience,
      migrations: compileMigrations(db, POSTGRES),
      nowMs: now(),
    });
    return await BatchWriter.open({
      link: { pg, target, patience, prepared, isSole, writerId: randomUUID() },
      commands: allCommands(statements),
      unwrittenMax: options.unwrittenMax ?? UNWRITTEN_MAX,
      unwrittenBytesMax: options.unwrittenBytesMax ?? UNWRITTEN_BYTES_MAX,
      relaxedPaceMs: options.relaxedPaceMs ?? RELAXED_PACE_MS,
    });
  });
  const reader = new PoolReader(pg, target, patience, prepared);
  const stores = createSqlStores({ reader, writer, statements, now }, options);
  return {
    ...stores,
    // One process at a time is enough; two would only look at the same rows.
    sweep: async (nowMs) => (await reader.alone(SWEEP_LOCK, () => stores.sweep(nowMs))) ?? 0,
    async [Symbol.asyncDispose]() {
      await writer[Symbol.asyncDispose]();
      await reader[Symbol.asyncDispose]();
    },
  };
}

async function opened<T>(target: PostgresTarget, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (cause) {
    throw unavailable(`${shownTarget(target)} cannot be opened`, cause);
  }
}

interface Preparation {
  pg: Pg;
  target: PostgresTarget;
  patience: Patience;
  migrations: readonly Migration[];
  nowMs: number;
}

/** Brings the schema up to date over a connection of its own: another process's migration may take its time. */
async function prepareDatabase({ pg, target, patience, migrations, nowMs }: Preparation): Promise<void> {
  const { statement_timeout: _none, query_timeout: _nor, ...settings } = connectionSettings(target, patience);
  const client = new pg.Client(settings);
  client.on("error", () => {});
  try {
    await client.connect();
    await migrate(client, migrations, nowMs);
    await client.query("delete from store_writers where seen_at < now() - $1::interval", [WRITER_KEPT]);
  } finally {
    await client.end().catch(() => {});
  }
}

/** A dialect that only compiles: statements run on connections of our own. */
const COMPILE_ONLY = {
  createAdapter: () => new PostgresAdapter(),
  createDriver: () => new DummyDriver(),
  createIntrospector: (db: Kysely<unknown>) => new PostgresIntrospector(db),
  createQueryCompiler: () => new PostgresQueryCompiler(),
};

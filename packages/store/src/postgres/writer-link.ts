import type { Writable } from "node:stream";
import type { Client, QueryConfig, QueryResult, QueryResultRow } from "pg";
import type { Step } from "../sql/commands/steps.ts";
import { Refusal } from "../sql/refusal.ts";
import { connectionSettings, type Patience } from "./connection-settings.ts";
import type { Pg } from "./load-pg.ts";
import { type Lock, SOLE_WRITER_LOCK } from "./locks.ts";
import type { PostgresTarget } from "./postgres-url.ts";
import type { Prepared } from "./prepared.ts";

export interface WriterLinkOptions {
  pg: Pg;
  target: PostgresTarget;
  patience: Patience;
  prepared: Prepared;
  /** Names this process among those that write; a UUID. */
  writerId: string;
  /** Whether no other process may write while this one does. */
  isSole: boolean;
}

/** A session of the server, by which a later one can tell it from others. */
interface Session {
  pid: number;
  startedAt: string;
}

const TAKE_LOCKS = {
  name: "sous_locks",
  // The order of the array is the order of taking.
  text: `select case when shared then pg_advisory_xact_lock_shared(key) else pg_advisory_xact_lock(key) end
    from unnest($1::bigint[], $2::boolean[]) as locks(key, shared)`,
};
const MARK = {
  name: "sous_mark",
  text: "update store_writers set batch = $2, seen_at = now() where id = $1",
};

/**
 * The one connection of a process that writes. Statements go out without waiting for the answers of those before;
 * the server works through them in order. Every batch leaves its number in the writer's own row, so that after a
 * commit whose answer was lost the row tells whether it happened.
 */
export class WriterLink {
  readonly #client: Client;
  readonly #options: WriterLinkOptions;
  readonly #session: Session;
  #isBroken = false;
  #isGathering = false;

  private constructor(client: Client, options: WriterLinkOptions, session: Session) {
    this.#client = client;
    this.#options = options;
    this.#session = session;
    client.on("error", () => (this.#isBroken = true)).on("end", () => (this.#isBroken = true));
  }

  /**
   * Connects, ends what is left of the link before, and takes the place among the writers.
   * @param before the link this one follows; what it had under way is over once this returns
   * @throws Refusal CS_CONFLICT when another process is the sole writer, or an error of the client
   */
  static async open(options: WriterLinkOptions, before?: WriterLink): Promise<WriterLink> {
    const { pg, target, patience, writerId, isSole } = options;
    const client = new pg.Client({ ...connectionSettings(target, patience), pipeline: true });
    // An error before anybody else listens is also that of the call under way.
    client.on("error", () => {});
    try {
      await client.connect();
      const session = await begin(client, writerId, before === undefined ? undefined : before.#session);
      if (isSole) await takeDatabase(client);
      return new WriterLink(client, options, session);
    } catch (error) {
      void client.end().catch(() => {});
      throw error;
    }
  }

  /** What is sent in one go of the event loop leaves as one packet, not as one for each statement. */
  #query<Row extends QueryResultRow>(query: string | QueryConfig): Promise<QueryResult<Row>> {
    if (!this.#isGathering) {
      const { stream } = (this.#client as Client & { connection: { stream: Writable } }).connection;
      this.#isGathering = true;
      stream.cork();
      process.nextTick(() => {
        this.#isGathering = false;
        stream.uncork();
      });
    }
    return this.#client.query<Row>(query);
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Runs text without parameters, as `begin`. */
  control(text: string): Promise<QueryResult> {
    return this.#query(text);
  }

  /** Takes locks until the end of the transaction. */
  take(locks: readonly Lock[]): Promise<unknown> {
    const values = [locks.map((lock) => lock.key), locks.map((lock) => lock.shared)];
    return this.#query({ ...TAKE_LOCKS, values });
  }

  /** Carries one step of a command out. @returns what it asked for */
  async ask({ want, statement, parameters }: Step): Promise<unknown> {
    const query = this.#options.prepared.query(statement, parameters);
    const { rowCount, rows } = await this.#query(query);
    return want === "all" ? rows : want === "get" ? rows[0] : (rowCount ?? 0);
  }

  /** Leaves the number of the batch under way in the writer's row. */
  mark(batch: number): Promise<unknown> {
    return this.#query({ ...MARK, values: [this.#options.writerId, batch] });
  }

  /** @returns the number of the last batch of this writer that was committed */
  async lastBatch(): Promise<number> {
    const text = "select batch::float8 as batch from store_writers where id = $1 for update";
    const { rows } = await this.#query<{ batch: number }>({ text, values: [this.#options.writerId] });
    return rows[0]?.batch ?? 0;
  }

  /** While something is under way the process must live; an idle link does not keep it. */
  keepAlive(on: boolean): void {
    // A socket that is closed would remember each call until it is opened, which is never.
    if (this.#isBroken) return;
    const client = this.#client as Client & Record<"ref" | "unref", () => void>;
    if (on) client.ref();
    else client.unref();
  }

  /** Ends the connection; a server that does not answer is not waited for long. */
  async close(): Promise<void> {
    const ended = this.#client.end().catch(() => {});
    if (this.#isBroken) return;
    this.#isBroken = true;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#options.patience.connectMs);
    await Promise.race([ended, late]);
    clearTimeout(timer);
  }
}

/** Only what is on disk counts as written, whatever the database was told. */
const ON_DISK = `select set_config('synchronous_commit', 'on', false)
  where current_setting('synchronous_commit') = 'off'`;

async function begin(client: Client, writerId: string, before: Session | undefined): Promise<Session> {
  if (before !== undefined) {
    // It may not know yet that nobody listens, and hold locks; asked this way, no other session can be meant.
    await client.query(
      `select pg_terminate_backend(pid, 2000) from pg_stat_activity
        where pid = $1 and backend_start = $2::timestamptz`,
      [before.pid, before.startedAt],
    );
  }
  await client.query(ON_DISK);
  await client.query("insert into store_writers values ($1, 0) on conflict do nothing", [writerId]);
  const { rows } = await client.query<Session>(
    `select pid, backend_start::text as "startedAt" from pg_stat_activity where pid = pg_backend_pid()`,
  );
  return rows[0] as Session;
}

/** A process that has just ended may still hold it for a moment. */
async function takeDatabase(client: Client): Promise<void> {
  await client.query("set lock_timeout = '3s'");
  try {
    await client.query("select pg_advisory_lock($1)", [SOLE_WRITER_LOCK]);
  } catch (cause) {
    if ((cause as { code?: string }).code !== "55P03") throw cause;
    throw new Refusal(
      "CS_CONFLICT",
      "Another process serves this database with its queue in memory; stop it, or give both a queue they share",
    );
  }
  await client.query("set lock_timeout = 0");
}

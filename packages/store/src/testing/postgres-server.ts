import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "./free-port.ts";

/** Every table but the one that says which tables there are. */
const EMPTY = `do $$ begin execute (select 'truncate ' || string_agg(quote_ident(tablename), ', ') || ' restart identity'
  from pg_tables where schemaname = 'public' and tablename <> 'schema_migrations'); end $$`;

const START_PATIENCE_MS = 20_000;
/** As most databases in the field: what relies on the order of bytes has to say so itself. */
const SORTS_AS_A_LANGUAGE = ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en"];
const DEBIAN_FOLDER = "/usr/lib/postgresql";

export interface PostgresServerOptions {
  /** Syncs as a real server does: what was answered is on disk. */
  durable?: boolean;
  /** Further settings of the server, as `max_connections`. */
  settings?: Readonly<Record<string, string>>;
}

/** A server of a test's own, on a free port of this machine, with its files in a folder that goes away with it. */
export interface PostgresServer extends AsyncDisposable {
  readonly port: number;
  /** Where the files are: a certificate may be put there before a restart. */
  readonly folder: string;
  /** Makes a database that no other test uses. */
  database(): PostgresDatabase;
  /** Runs statements as the owner of everything. @returns the rows, columns parted by `|` */
  sql(database: string, text: string): string;
  /** Ends it as a power cut would (`pg_ctl stop -m immediate`), and waits until it is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port with the files it left. */
  restart(settings?: Readonly<Record<string, string>>): Promise<void>;
}

export interface PostgresDatabase {
  readonly name: string;
  readonly url: string;
  /** Removes all rows, for the next test. */
  empty(): void;
}

/** @returns why there is no server to start here, or `undefined` */
export function missingPostgres(): string | undefined {
  const how = "install it, on Debian with apt-get install postgresql";
  if (programFolder() === undefined) return `there is no PostgreSQL server; ${how}`;
  if (process.getuid?.() === 0 && serverUser() === undefined) {
    return `PostgreSQL does not run as root, and there is no user postgres; ${how}`;
  }
  return undefined;
}

/** Starts a server and waits until it answers. See `missingPostgres`; it starts none of the system's services. */
export async function startPostgres(options: PostgresServerOptions = {}): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), "sous-postgres-"));
  const user = serverUser();
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const data = join(folder, "data");
  const programs = programFolder() ?? "";
  execFileSync(
    join(programs, "initdb"),
    ["-D", data, "-U", "sous", "-A", "trust", "-E", "UTF8", ...SORTS_AS_A_LANGUAGE, "--no-sync"],
    { stdio: "ignore", cwd: folder, ...user },
  );
  const port = await freePort();
  const launch = (settings: Readonly<Record<string, string>>): ChildProcess => {
    const durable = options.durable === true ? "on" : "off";
    const all = { fsync: durable, full_page_writes: durable, ...options.settings, ...settings };
    const args = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const where = ["-D", data, "-h", "127.0.0.1", "-p", String(port), "-k", folder];
    return spawn(join(programs, "postgres"), [...where, ...args], { stdio: "ignore", cwd: folder, ...user });
  };
  const sql = (database: string, text: string): string => {
    const args = ["-h", "127.0.0.1", "-p", String(port), "-U", "sous", "-d", database, "-Atqc", text];
    return execFileSync(join(programs, "psql"), ["-X", ...args], { encoding: "utf8", stdio: "pipe" }).trim();
  };
  let child = launch({});
  // A test that dies of an error must not leave a server behind.
  const onExit = (): void => void child.kill("SIGQUIT");
  process.once("exit", onExit);
  await answers(child, () => sql("postgres", "select 1"));
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  };
  return {
    port,
    folder,
    sql,
    database() {
      const name = `t_${randomUUID().replaceAll("-", "")}`;
      sql("postgres", `create database ${name}`);
      return {
        name,
        url: `postgres://sous@127.0.0.1:${port}/${name}`,
        empty: () => void sql(name, EMPTY),
      };
    },
    // What `pg_ctl stop -m immediate` sends: no checkpoint, the log is replayed at the next start.
    kill: () => end("SIGQUIT"),
    async restart(settings = {}) {
      await end("SIGINT");
      child = launch(settings);
      await answers(child, () => sql("postgres", "select 1"));
    },
    async [Symbol.asyncDispose]() {
      process.off("exit", onExit);
      await end("SIGQUIT");
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Debian keeps the programs of each release in a folder of its own, off the path. */
function programFolder(): string | undefined {
  const releases = existsSync(DEBIAN_FOLDER) ? readdirSync(DEBIAN_FOLDER) : [];
  const newestFirst = releases.toSorted((a, b) => Number(b) - Number(a));
  const folders = newestFirst.map((release) => join(DEBIAN_FOLDER, release, "bin"));
  return folders.find((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres")));
}

/** The server refuses to run as root; tests that do lend it the package's own user. */
function serverUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  try {
    const idOf = (flag: string): number => Number(execFileSync("id", [flag, "postgres"], { stdio: "pipe" }));
    return { uid: idOf("-u"), gid: idOf("-g") };
  } catch {
    return undefined;
  }
}

async function answers(child: ChildProcess, ask: () => void): Promise<void> {
  const endMs = Date.now() + START_PATIENCE_MS;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`postgres ended at once with ${child.exitCode}`);
    try {
      ask();
      return;
    } catch (cause) {
      if (Date.now() > endMs) throw new Error("postgres does not answer", { cause });
      await sleep(20);
    }
  }
}

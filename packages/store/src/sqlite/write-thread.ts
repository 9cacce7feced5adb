import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { allCommands } from "../sql/commands/all-commands.ts";
import type { Migration } from "../sql/migrations.ts";
import { messageOf, Refusal, type RefusalData } from "../sql/refusal.ts";
import type { Statements } from "../sql/statements.ts";
import { type BatchReply, type BatchValue, runBatch } from "./batch.ts";
import { Connection } from "./connection.ts";
import { migrate } from "./migrate.ts";
import { engineFailure } from "./refusal.ts";

/** What the thread is started with. */
export interface WriteThreadData {
  path: string;
  statements: Statements;
  migrations: Migration[];
  nowMs: number;
  busyTimeoutMs: number;
}

/** What it is sent: batches, and once `null` to end. */
export type WriteThreadRequest = BatchValue[] | null;

/** What it answers: first whether it could open the database, then one reply a batch. */
export type WriteThreadReply = { opened: true } | { notOpened: RefusalData } | BatchReply;

/** Pages of the log after which it is copied back into the database: 16 MiB. SQLite would do it at 4, but random
 * activation ids touch a page each, and the longer the log the more often one copy serves several writes. */
const CHECKPOINT_PAGES = 4000;

/**
 * Opens the one connection that writes. FULL makes every commit wait for the disk. SQLite's own checkpoint is
 * off because it would run inside a commit, while callers wait for it.
 */
function openDatabase(data: WriteThreadData): DatabaseSync {
  const db = new DatabaseSync(data.path, { timeout: data.busyTimeoutMs });
  try {
    db.exec("pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 0");
    db.exec("pragma journal_size_limit = 67108864; pragma cache_size = -16384; pragma temp_store = memory");
    migrate(db, data.migrations, data.nowMs);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Starts the thread's one loop: take a batch, commit it, answer, and only then tidy up the log. */
function serve(port: NonNullable<typeof parentPort>, data: WriteThreadData): void {
  const reply = (message: WriteThreadReply) => port.postMessage(message);
  let db: DatabaseSync;
  try {
    db = openDatabase(data);
  } catch (error) {
    const message = error instanceof Refusal ? error.message : (engineFailure(error) ?? messageOf(error));
    reply({ notOpened: { code: "CS_STORE_UNAVAILABLE", message } });
    return;
  }
  const connection = new Connection(db);
  const commands = allCommands(data.statements);
  const logSize = db.prepare("pragma wal_checkpoint(noop)");
  port.on("message", (request: WriteThreadRequest) => {
    if (request === null) {
      db.close();
      port.close();
      return;
    }
    reply(runBatch(connection, commands, request));
    try {
      if (Number(logSize.get()?.["log"]) > CHECKPOINT_PAGES) db.exec("pragma wal_checkpoint(passive)");
    } catch {
      // On a full disk the log stays as it is, with everything in it; the next batch tries again.
    }
  });
  reply({ opened: true });
}

if (parentPort !== null) serve(parentPort, workerData as WriteThreadData);

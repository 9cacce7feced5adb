import { COMMAND_NAMES, COMMANDS, type Commands } from "./commands.ts";
import type { Connection } from "./connection.ts";
import { engineFailure, messageOf, Refusal, type RefusalData } from "./refusal.ts";

/** One value of a batch. A batch is flat: command number, count of arguments, arguments, and so on. */
export type BatchValue = string | number | null | Uint8Array;

/** What became of one command: its answer (null for none), or why it was refused. */
export type Outcome = null | boolean | number | RefusalData;

/** Outcomes in the order of the commands once all of it is on disk, or why none of it is. */
export type BatchReply = { outcomes: Outcome[] } | { failure: RefusalData };

type AnyCommand = (...args: BatchValue[]) => boolean | number | void;

/**
 * Runs a batch as one transaction, in order. A refused command is undone alone; a failing engine undoes all.
 * Only commands that write more than once need a savepoint: SQLite undoes a failing statement by itself.
 */
export function runBatch(
  connection: Connection,
  commands: Commands,
  batch: readonly BatchValue[],
): BatchReply {
  try {
    connection.control("begin immediate");
    const outcomes: Outcome[] = [];
    for (let at = 0; at < batch.length;) {
      const name = COMMAND_NAMES[batch[at] as number] as keyof Commands;
      const end = at + 2 + (batch[at + 1] as number);
      const args = batch.slice(at + 2, end);
      // The tuple of arguments was checked against the command where it was written.
      const command = () => (commands[name] as AnyCommand)(...args);
      outcomes.push(runOne(connection, command, COMMANDS[name].savepoint === true));
      at = end;
    }
    connection.control("commit");
    return { outcomes };
  } catch (error) {
    undoBatch(connection);
    const reason = engineFailure(error) ?? messageOf(error);
    return {
      failure: {
        code: "CS_STORE_UNAVAILABLE",
        message: `The store cannot take writes: ${reason}; try again`,
      },
    };
  }
}

function runOne(connection: Connection, command: () => boolean | number | void, savepoint: boolean): Outcome {
  if (savepoint) connection.control("savepoint command");
  try {
    const answer = command();
    if (savepoint) connection.control("release command");
    return answer ?? null;
  } catch (error) {
    // Without its transaction there is nothing left to go on with; SQLite ends it itself on a full disk.
    if (engineFailure(error) !== undefined || !connection.inTransaction) throw error;
    if (savepoint) undoCommand(connection);
    if (error instanceof Refusal) return { code: error.code, message: error.message };
    return { code: "CS_STORE_WRITE_FAILED", message: `The store refused the write: ${messageOf(error)}` };
  }
}

function undoCommand(connection: Connection): void {
  connection.control("rollback to command");
  connection.control("release command");
}

/** SQLite may have rolled back already; and where even that fails, the next `begin` says so. */
function undoBatch(connection: Connection): void {
  try {
    if (connection.inTransaction) connection.control("rollback");
  } catch {
    // The failure that led here is the one to report.
  }
}

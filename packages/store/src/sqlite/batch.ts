import { COMMAND_NAMES, COMMANDS, type CommandSteps } from "../sql/commands/commands.ts";
import type { Steps } from "../sql/commands/steps.ts";
import { messageOf, Refusal, type RefusalData } from "../sql/refusal.ts";
import type { Connection } from "./connection.ts";
import { engineFailure } from "./refusal.ts";

/** One value of a batch. A batch is flat: command number, count of arguments, arguments, and so on. */
export type BatchValue = string | number | null | Uint8Array;

/** What became of one command: its answer (null for none), or why it was refused. */
export type Outcome = null | boolean | number | RefusalData;

/** Outcomes in the order of the commands once all of it is on disk, or why none of it is. */
export type BatchReply = { outcomes: Outcome[] } | { failure: RefusalData };

type Answer = boolean | number | void;
type AnyCommand = (...args: BatchValue[]) => Steps<Answer>;

/**
 * Runs a batch as one transaction, in order. A refused command is undone alone; a failing engine undoes all.
 * Only commands that write more than once need a savepoint: SQLite undoes a failing statement by itself.
 */
export function runBatch(
  connection: Connection,
  commands: CommandSteps,
  batch: readonly BatchValue[],
): BatchReply {
  try {
    connection.control("begin immediate");
    const outcomes: Outcome[] = [];
    for (let at = 0; at < batch.length;) {
      const name = COMMAND_NAMES[batch[at] as number] as keyof CommandSteps;
      const end = at + 2 + (batch[at + 1] as number);
      const args = batch.slice(at + 2, end);
      // The tuple of arguments was checked against the command where it was written.
      const steps = (commands[name] as AnyCommand)(...args);
      outcomes.push(runOne(connection, steps, COMMANDS[name].savepoint === true));
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

function runOne(connection: Connection, steps: Steps<Answer>, savepoint: boolean): Outcome {
  if (savepoint) connection.control("savepoint command");
  try {
    const answer = carryOut(connection, steps);
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

function carryOut(connection: Connection, steps: Steps<Answer>): Answer {
  let step = steps.next();
  while (step.done !== true) {
    const { want, statement, parameters } = step.value;
    step = steps.next(connection[want === "nothing" ? "run" : want](statement, parameters as never));
  }
  return step.value;
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

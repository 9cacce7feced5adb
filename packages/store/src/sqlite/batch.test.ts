import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import test from "node:test";
import { type BatchValue, runBatch } from "./batch.ts";
import { COMMAND_NAMES, type CommandName, type CommandSteps } from "../sql/commands/commands.ts";
import { send } from "../sql/commands/steps.ts";
import { Refusal } from "../sql/refusal.ts";
import { Connection } from "./connection.ts";

/** A batch of commands that all take one text. */
const batchOf = (...commands: [CommandName, string][]): BatchValue[] =>
  commands.flatMap(([name, text]) => [COMMAND_NAMES.indexOf(name), 1, text]);

/** A database with one table and commands that write to it, some of which then fail. */
function open() {
  const db = new DatabaseSync(":memory:");
  db.exec("create table notes (text text not null unique)");
  const insert = { sql: "insert into notes values (?)", parameters: ["text"] } as const;
  const commands: Partial<CommandSteps> = {
    *journalRemove(text) {
      yield* send(insert, { text });
    },
    // In a savepoint: writes twice, and is refused or fails in between.
    *kvSet(text) {
      yield* send(insert, { text: `${text}, half done` });
      throw new Refusal("CS_CONFLICT", "refused half-way");
    },
    *draftPut(text) {
      yield* send(insert, { text });
      throw Object.assign(new TypeError("disk I/O error"), { errcode: 778 });
    },
  };
  const texts = () =>
    db
      .prepare("select text from notes order by text")
      .all()
      .map((row) => row["text"]);
  return { db, connection: new Connection(db), commands: commands as CommandSteps, texts };
}

test("a command that is refused after it wrote is undone alone", () => {
  const { connection, commands, texts } = open();
  const batch = batchOf(["journalRemove", "a"], ["kvSet", "b"], ["journalRemove", "c"]);
  const refused = { code: "CS_CONFLICT", message: "refused half-way" };
  assert.deepEqual(runBatch(connection, commands, batch), { outcomes: [null, refused, null] });
  assert.deepEqual(texts(), ["a", "c"]);
});

test("a statement that fails refuses its command alone", () => {
  const { connection, commands, texts } = open();
  const reply = runBatch(connection, commands, batchOf(["journalRemove", "a"], ["journalRemove", "a"]));
  assert.ok("outcomes" in reply);
  assert.equal(reply.outcomes[0], null);
  assert.equal((reply.outcomes[1] as { code: string }).code, "CS_STORE_WRITE_FAILED");
  assert.deepEqual(texts(), ["a"]);
});

test("a failing engine undoes the batch and the next one runs", () => {
  const { connection, commands, texts } = open();
  const batch = batchOf(["journalRemove", "a"], ["draftPut", "b"], ["journalRemove", "c"]);
  const reply = runBatch(connection, commands, batch);
  assert.ok("failure" in reply);
  assert.equal(reply.failure.code, "CS_STORE_UNAVAILABLE");
  assert.match(reply.failure.message, /I\/O error/);
  assert.deepEqual(texts(), []);
  assert.deepEqual(runBatch(connection, commands, batchOf(["journalRemove", "d"])), { outcomes: [null] });
  assert.deepEqual(texts(), ["d"]);
});

import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { Statement } from "../sql/statement.ts";

interface Prepared {
  handle: StatementSync;
  names: readonly string[];
}

/** A database connection that runs compiled statements, each prepared on first use and then kept. */
export class Connection {
  readonly #db: DatabaseSync;
  readonly #prepared = new Map<object, Prepared>();
  readonly #controls = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** @returns the number of rows changed */
  run<P extends object, R>(statement: Statement<P, R>, parameters: P): number {
    const { handle, names } = this.#prepare(statement);
    return Number(handle.run(...inOrder(names, parameters)).changes);
  }

  /** @returns the first row; its prototype is null, so it must not leave the driver as it is */
  get<P extends object, R>(statement: Statement<P, R>, parameters: P): R | undefined {
    const { handle, names } = this.#prepare(statement);
    return handle.get(...inOrder(names, parameters)) as R | undefined;
  }

  /** @returns every row, with null prototypes as `get` */
  all<P extends object, R>(statement: Statement<P, R>, parameters: P): R[] {
    const { handle, names } = this.#prepare(statement);
    return handle.all(...inOrder(names, parameters)) as R[];
  }

  /** Runs one statement that has neither parameters nor rows, as `begin` and `commit`. */
  control(sql: string): void {
    let handle = this.#controls.get(sql);
    if (handle === undefined) {
      handle = this.#db.prepare(sql);
      this.#controls.set(sql, handle);
    }
    handle.run();
  }

  get inTransaction(): boolean {
    return this.#db.isTransaction;
  }

  #prepare(statement: Statement<never, unknown>): Prepared {
    let prepared = this.#prepared.get(statement);
    if (prepared === undefined) {
      prepared = { handle: this.#db.prepare(statement.sql), names: statement.parameters };
      this.#prepared.set(statement, prepared);
    }
    return prepared;
  }
}

function inOrder(names: readonly string[], parameters: object): SQLInputValue[] {
  const values = parameters as Record<string, SQLInputValue>;
  return names.map((name) => values[name] as SQLInputValue);
}

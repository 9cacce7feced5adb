import type { Statement } from "../sql/statement.ts";
import { COLUMN_TYPES, toWire } from "./wire-values.ts";

/** A statement as the client takes it: prepared by its name on a connection's first use. */
export interface PreparedQuery {
  name: string;
  text: string;
  values: unknown[];
  types: typeof COLUMN_TYPES;
}

/** Names statements, each the same on every connection. */
export class Prepared {
  readonly #names = new WeakMap<object, string>();
  #count = 0;

  query(statement: Statement<never, unknown>, parameters: object): PreparedQuery {
    let name = this.#names.get(statement);
    if (name === undefined) {
      name = `sous_${++this.#count}`;
      this.#names.set(statement, name);
    }
    const byName = parameters as Record<string, unknown>;
    const values = statement.parameters.map((parameter) => toWire(byName[parameter]));
    return { name, text: statement.sql, values, types: COLUMN_TYPES };
  }
}

import { type Compilable, type RawBuilder, sql } from "kysely";

/**
 * A statement compiled once: SQL text and the names of its parameters in the order the placeholders need.
 * Plain data, so that it can be handed to another thread.
 */
export interface Statement<Parameters, Row> {
  readonly sql: string;
  readonly parameters: readonly (keyof Parameters & string)[];
  /** Never present; carries the row's type. */
  readonly row?: Row;
}

/** What a builder gets: for every parameter a placeholder of its type. */
export type Placeholders<Parameters> = {
  readonly [Name in keyof Parameters]: RawBuilder<Parameters[Name]>;
};

/** Stands where a value will be; kysely carries it through compilation as if it were the value. */
class ParameterName {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/**
 * Compiles a kysely query whose values are placeholders. Two calls, because TypeScript cannot be told the
 * parameters and infer the row in one: `statement<{ id: string }>()(({ id }) => db.selectFrom(…))`.
 * @returns a function from the query's builder to the compiled statement
 */
export function statement<Parameters extends object>(): <Row>(
  build: (placeholders: Placeholders<Parameters>) => Compilable<Row>,
) => Statement<Parameters, Row> {
  return (build) => {
    const placeholders = new Proxy({} as Placeholders<Parameters>, {
      get: (_target, name) => sql.val(new ParameterName(String(name))),
    });
    const query = build(placeholders).compile();
    return { sql: query.sql, parameters: query.parameters.map(nameOf<Parameters>) };
  };
}

function nameOf<Parameters>(parameter: unknown): keyof Parameters & string {
  if (parameter instanceof ParameterName) return parameter.name as keyof Parameters & string;
  // A value inside a shared statement would be frozen into it for every caller.
  throw new TypeError(`Write the constant ${JSON.stringify(parameter)} with sql.lit, or make it a parameter`);
}

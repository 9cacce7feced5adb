/** What the engines name differently. */
export interface SqlDialect {
  engine: "sqlite" | "postgres";
  /** Text that sorts by its bytes in UTF-8, which is the order of code points. */
  text: string;
  bytes: "blob" | "bytea";
  /** 64-bit integer. */
  integer: "integer" | "bigint";
  /** Integer primary key that counts up by itself. */
  sequence: "integer" | "bigserial";
  /** The function that finds a text in another, counting from 1. */
  position: "instr" | "strpos";
}

export const SQLITE: SqlDialect = {
  engine: "sqlite",
  text: "text",
  bytes: "blob",
  integer: "integer",
  sequence: "integer",
  position: "instr",
};

/** A database sorts text by the rules of some language unless a column says otherwise. */
export const POSTGRES: SqlDialect = {
  engine: "postgres",
  text: 'text collate "C"',
  bytes: "bytea",
  integer: "bigint",
  sequence: "bigserial",
  position: "strpos",
};

import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from "kysely";
import { SQLITE } from "../sql/dialect.ts";
import { compileMigrations, type Migration } from "../sql/migrations.ts";
import type { Tables } from "../sql/schema.ts";

/** @returns every step of the schema, for a connection of one's own */
export function sqliteMigrations(): Migration[] {
  const db = new Kysely<Tables>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (kysely) => new SqliteIntrospector(kysely),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  });
  return compileMigrations(db, SQLITE);
}

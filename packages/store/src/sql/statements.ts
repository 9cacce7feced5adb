import { type Kysely, sql } from "kysely";
import type { SqlDialect } from "./dialect.ts";
import { activationStatements } from "./activation-statements.ts";
import { auditStatements } from "./audit-statements.ts";
import { functionStatements } from "./function-statements.ts";
import { groupStatements } from "./group-statements.ts";
import { journalStatements } from "./journal-statements.ts";
import { kvStatements } from "./kv-statements.ts";
import { logStatements } from "./log-statements.ts";
import { leaseStatements, scheduleStatements } from "./schedule-statements.ts";
import { resourceStatements } from "./resource-statements.ts";
import type { Tables } from "./schema.ts";
import { statement } from "./statement.ts";
import { secretStatements } from "./secret-statements.ts";
import { tokenStatements } from "./token-statements.ts";
import { versionStatements } from "./version-statements.ts";

/**
 * Compiles every statement of the SQL stores for one engine (`db` compiles for the same), once at start: nothing is built per call.
 * The result is plain data and may be posted to another thread.
 */
export function compileStatements(db: Kysely<Tables>, dialect: SqlDialect) {
  return {
    functions: functionStatements(db),
    versions: versionStatements(db),
    activations: activationStatements(db),
    groups: groupStatements(db, dialect),
    logs: logStatements(db),
    kv: kvStatements(db),
    secrets: secretStatements(db),
    schedules: scheduleStatements(db),
    leases: leaseStatements(db),
    resources: resourceStatements(db),
    audit: auditStatements(db),
    tokens: tokenStatements(db),
    journal: journalStatements(db, dialect),
    probe: {
      /** Rewrites the one probe row: whether this commits is whether the store takes writes. */
      write: statement<{ atMs: number }>()((p) =>
        db
          .insertInto("probe")
          .values({ id: sql.lit(1), at_ms: p.atMs })
          .onConflict((conflict) => conflict.column("id").doUpdateSet({ at_ms: p.atMs })),
      ),
    },
  };
}

export type Statements = ReturnType<typeof compileStatements>;

import { Refusal } from "../refusal.ts";
import type { Statements } from "../statements.ts";
import type { CommandSteps } from "./commands.ts";
import { all, run } from "./steps.ts";

/** The writes over audit events. */
export function auditCommands(sql: Statements): Pick<CommandSteps, "auditBegin" | "auditEnd" | "sweepAudit"> {
  return {
    *auditBegin(tenant, id, atMs, doc) {
      if ((yield* run(sql.audit.begin, { tenant, id, at_ms: atMs, doc })) === 0) {
        throw new Refusal("CS_CONFLICT", `Audit event ${id} exists; use a new id`);
      }
    },

    *auditEnd(tenant, id, doc) {
      return (yield* run(sql.audit.end, { tenant, id, doc })) > 0;
    },

    *sweepAudit(beforeMs, limit) {
      let removed = 0;
      for (const { tenant, id } of yield* all(sql.audit.oldest, { beforeMs, limit })) {
        removed += yield* run(sql.audit.remove, { tenant, id });
      }
      return removed;
    },
  };
}

import type { Statements } from "../statements.ts";
import type { CommandSteps } from "./commands.ts";
import { Refusal } from "../refusal.ts";
import { all, get, run, send } from "./steps.ts";

type RecordCommands = Pick<
  CommandSteps,
  | "activationCreate"
  | "activationUpdate"
  | "activationFinish"
  | "logsAppend"
  | "sweepActivations"
  | "sweepLogs"
>;

/** The writes over activation records and their logs. */
export function recordCommands(sql: Statements): RecordCommands {
  return {
    *activationCreate(tenant, id, namespace, functionName, status, trigger, attempt, enqueuedAtMs, doc) {
      const row = { tenant, id, namespace, function: functionName, status, trigger, attempt, doc };
      if ((yield* run(sql.activations.create, { ...row, enqueued_at_ms: enqueuedAtMs })) === 0) {
        throw new Refusal("CS_CONFLICT", `Activation ${id} exists; read it instead`);
      }
    },

    *activationUpdate(tenant, id, status, attempt, doc) {
      return (yield* run(sql.activations.update, { tenant, id, status, attempt, doc })) > 0;
    },

    *activationFinish(tenant, id, namespace, functionName, status, trigger, attempt, enqueuedAtMs, doc) {
      const row = { tenant, id, namespace, function: functionName, status, trigger, attempt, doc };
      return (yield* run(sql.activations.finish, { ...row, enqueued_at_ms: enqueuedAtMs })) > 0;
    },

    *logsAppend(tenant, activationId, count, lines, atMs) {
      yield* send(sql.logs.append, { tenant, activationId, count, lines, atMs });
    },

    *sweepActivations(beforeMs, limit) {
      let removed = 0;
      let left = limit;
      let tenant: string | null | undefined = "";
      while (left > 0) {
        tenant = (yield* get(sql.activations.tenantAfter, { tenant }))?.tenant;
        if (tenant === null || tenant === undefined) break;
        const outlived = yield* all(sql.activations.outlived, { tenant, beforeMs, limit: left });
        left -= outlived.length;
        for (const { seq, id } of outlived) {
          removed += yield* run(sql.activations.remove, { seq });
          removed += yield* run(sql.logs.removeOf, { tenant, activationId: id });
        }
      }
      return removed;
    },

    *sweepLogs(beforeMs, limit) {
      let removed = 0;
      for (const { seq, at_ms: atMs } of yield* all(sql.logs.oldest, { limit })) {
        if (atMs < beforeMs) removed += yield* run(sql.logs.remove, { seq });
      }
      return removed;
    },
  };
}

import type { Statements } from "../sql/statements.ts";
import type { Commands } from "./commands.ts";
import type { Connection } from "./connection.ts";
import { Refusal } from "./refusal.ts";

type RecordCommands = Pick<
  Commands,
  | "activationCreate"
  | "activationUpdate"
  | "activationFinish"
  | "logsAppend"
  | "sweepActivations"
  | "sweepLogs"
>;

/** The writes over activation records and their logs. */
export function recordCommands(connection: Connection, sql: Statements): RecordCommands {
  return {
    activationCreate(tenant, id, namespace, functionName, status, trigger, attempt, enqueuedAtMs, doc) {
      const row = { tenant, id, namespace, function: functionName, status, trigger, attempt, doc };
      if (connection.run(sql.activations.create, { ...row, enqueued_at_ms: enqueuedAtMs }) === 0) {
        throw new Refusal("CS_CONFLICT", `Activation ${id} exists; read it instead`);
      }
    },

    activationUpdate(tenant, id, status, attempt, doc) {
      return connection.run(sql.activations.update, { tenant, id, status, attempt, doc }) > 0;
    },

    activationFinish(tenant, id, namespace, functionName, status, trigger, attempt, enqueuedAtMs, doc) {
      const row = { tenant, id, namespace, function: functionName, status, trigger, attempt, doc };
      return connection.run(sql.activations.finish, { ...row, enqueued_at_ms: enqueuedAtMs }) > 0;
    },

    logsAppend(tenant, activationId, count, lines, atMs) {
      const tail = connection.get(sql.logs.tail, { tenant, activationId });
      const first = tail === undefined ? 0 : tail.first + tail.count;
      connection.run(sql.logs.append, { tenant, activationId, first, count, lines, atMs });
    },

    sweepActivations(beforeMs, limit) {
      let removed = 0;
      let left = limit;
      let tenant: string | null | undefined = "";
      while (left > 0) {
        tenant = connection.get(sql.activations.tenantAfter, { tenant })?.tenant;
        if (tenant === null || tenant === undefined) break;
        const outlived = connection.all(sql.activations.outlived, { tenant, beforeMs, limit: left });
        left -= outlived.length;
        for (const { seq, id } of outlived) {
          removed += connection.run(sql.activations.remove, { seq });
          removed += connection.run(sql.logs.removeOf, { tenant, activationId: id });
        }
      }
      return removed;
    },

    sweepLogs(beforeMs, limit) {
      let removed = 0;
      for (const { seq, at_ms: atMs } of connection.all(sql.logs.oldest, { limit })) {
        if (atMs < beforeMs) removed += connection.run(sql.logs.remove, { seq });
      }
      return removed;
    },
  };
}

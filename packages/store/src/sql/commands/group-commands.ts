import type { Statements } from "../statements.ts";
import type { CommandSteps } from "./commands.ts";
import { all, get, send } from "./steps.ts";

type GroupCommands = Pick<CommandSteps, "activationsAppend" | "sweepGroups">;

/** What one group weighs against the rows a sweep may remove in one go. */
const GROUP_ROWS = 100;

/** The writes over groups of ended activations. */
export function groupCommands(sql: Statements): GroupCommands {
  return {
    *activationsAppend(firstMs, lastMs, ends, doc, ...parts) {
      const row = { first_ms: firstMs, last_ms: lastMs, ends, doc };
      const { seq = 0 } = (yield* get(sql.groups.append, row)) ?? {};
      for (let at = 0; at < parts.length; at += 6) {
        const [tenant, namespace, name, first_ms, last_ms, failed] = parts.slice(at, at + 6) as [
          string,
          string,
          string,
          number,
          number,
          number,
        ];
        const part = { group_seq: seq, tenant, namespace, function: name, first_ms, last_ms, failed };
        yield* send(sql.groups.appendPart, part);
      }
    },

    *sweepGroups(beforeMs, limit) {
      let removed = 0;
      const some = { beforeMs, limit: Math.ceil(limit / GROUP_ROWS) };
      for (const { seq, ends } of yield* all(sql.groups.outlived, some)) {
        yield* send(sql.groups.removeParts, { seq });
        yield* send(sql.groups.remove, { seq });
        removed += ends;
      }
      return removed;
    },
  };
}

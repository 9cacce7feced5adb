import { setImmediate as nextTurn } from "node:timers/promises";
import { type End, GROUP_SPAN_MS, idMoment, readGroup } from "../../ended-group.ts";
import type { GroupHead, GroupSource } from "../../ended-walk.ts";
import { storedOr } from "../../stored.ts";
import type { Access } from "./access.ts";

/** Heads of groups read at a time. */
const HEADS = 32;

/** Finds an end among the groups: few of them may hold the moment its id was made at. */
export async function findEnd(
  { reader, statements }: Access,
  tenant: string,
  id: string,
): Promise<End | undefined> {
  const madeMs = idMoment(id);
  if (madeMs === undefined) return undefined;
  const row = await reader.get(statements.groups.holding, { id, madeMs, floorMs: madeMs - GROUP_SPAN_MS });
  if (row === undefined) return undefined;
  return storedOr(() => readGroup(row.doc)).find(
    ({ record }) => record.activation_id === id && record.tenant === tenant,
  );
}

/** What a walk over groups reads. Others get a turn before each group, and before each page of heads. */
export function groupSource({ reader, statements }: Access): GroupSource {
  return {
    async *heads({ tenant, namespace, function: name, status, sinceMs = 0 }, untilMs) {
      const failedOnly = status !== undefined && status !== "success" ? 1 : 0;
      let below = { beforeMs: untilMs + 1, beforeSeq: 0 };
      for (;;) {
        const at = { ...below, sinceMs, failedOnly, limit: HEADS };
        const rows =
          namespace !== undefined && name !== undefined
            ? await reader.all(statements.groups.ofFunction, { ...at, tenant, namespace, function: name })
            : await reader.all(statements.groups.ofTenant, { ...at, tenant });
        yield* rows.map(({ group_seq, last_ms }): GroupHead => ({ seq: group_seq, lastMs: last_ms }));
        const last = rows.at(-1);
        if (last === undefined || rows.length < HEADS) return;
        below = { beforeMs: last.last_ms, beforeSeq: last.group_seq };
        await nextTurn();
      }
    },
    async document(seq) {
      await nextTurn();
      return (await reader.get(statements.groups.doc, { seq }))?.doc;
    },
  };
}

import type { ScheduleRecord } from "@sous/contract";
import { checkLimit, decodeCursor, pageOf } from "../../cursor.ts";
import type { ScheduleTable } from "../schema.ts";
import type { LeaseStore, ScheduleStore, StoredSchedule } from "../../store.ts";
import type { Access } from "./access.ts";
import { parseStored } from "../../stored.ts";

/** Schedules in SQLite. */
export function createScheduleStore(
  { reader, writer, statements }: Access,
  bounds: { perNamespaceMax: number },
): ScheduleStore {
  const sql = statements.schedules;
  return {
    async create(record, { next_tick_ms, due_at_ms }) {
      const { tenant, namespace, name, uid } = record;
      const doc = JSON.stringify(record);
      const { perNamespaceMax } = bounds;
      const key = [tenant, namespace, name, uid] as const;
      await writer.write("scheduleCreate", ...key, doc, next_tick_ms, due_at_ms, perNamespaceMax);
    },
    async get({ tenant, namespace, name }) {
      const row = await reader.get(sql.get, { tenant, namespace, name });
      return row && storedOf(row);
    },
    async list({ tenant, namespace }, page) {
      checkLimit(page);
      const [after] = decodeCursor(page, [""]);
      const rows = await reader.all(sql.list, { tenant, namespace, after, limit: page.limit + 1 });
      return pageOf(rows, page.limit, storedOf, (row) => [row.name]);
    },
    replace(record, { next_tick_ms, due_at_ms }) {
      const { tenant, namespace, name, uid, generation } = record;
      const key = [tenant, namespace, name, uid, generation] as const;
      return writer.write("scheduleReplace", ...key, JSON.stringify(record), next_tick_ms, due_at_ms);
    },
    async delete({ tenant, namespace, name }) {
      await writer.write("scheduleDelete", tenant, namespace, name);
    },
    async due(untilMs, page) {
      checkLimit(page);
      const [afterMs, afterUid] = decodeCursor(page, [-1, ""]);
      const rows = await reader.all(sql.due, { untilMs, afterMs, afterUid, limit: page.limit + 1 });
      return pageOf(rows, page.limit, storedOf, (row) => [row.due_at_ms ?? 0, row.uid]);
    },
    advance({ record, state }, next, fence) {
      const { tenant, namespace, name, uid } = record;
      return writer.write(
        "scheduleAdvance",
        tenant,
        namespace,
        name,
        uid,
        state.tick_seq,
        next.tick_seq,
        next.next_tick_ms,
        next.due_at_ms,
        next.inflight,
        next.catchup_end_seq,
        fence?.lease ?? null,
        fence?.epoch ?? 0,
      );
    },
  };
}

type Row = Pick<
  ScheduleTable,
  "doc" | "tick_seq" | "next_tick_ms" | "due_at_ms" | "inflight" | "catchup_end_seq"
>;

function storedOf(row: Row): StoredSchedule {
  const { tick_seq, next_tick_ms, due_at_ms, inflight, catchup_end_seq } = row;
  const state = { tick_seq, next_tick_ms, due_at_ms, inflight, catchup_end_seq };
  return { record: parseStored<ScheduleRecord>(row.doc), state };
}

/** Leases in SQLite. */
export function createLeaseStore({ reader, writer, statements }: Access): LeaseStore {
  return {
    async read(name) {
      const row = await reader.get(statements.leases.get, { name });
      return row && { ...row };
    },
    async acquire(name, holder, nowMs, untilMs, stale) {
      const seen = [stale?.epoch ?? 0, stale?.until_ms ?? 0] as const;
      const epoch = await writer.write("leaseAcquire", name, holder, nowMs, untilMs, ...seen);
      return epoch === 0 ? undefined : epoch;
    },
    renew: (name, epoch, untilMs) => writer.write("leaseRenew", name, epoch, untilMs),
    async release(name, epoch) {
      await writer.write("leaseRelease", name, epoch);
    },
    raise: (name, holder, epoch) => writer.write("leaseRaise", name, holder, epoch),
  };
}

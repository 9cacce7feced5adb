import type { AuditEnd, AuditEvent } from "@sous/contract";
import { listAuditEvents } from "../../audit-walk.ts";
import type { AuditStore } from "../../store.ts";
import { parseStored } from "../../stored.ts";
import type { Access } from "./access.ts";

/** Audit events in an SQL database. */
export function createAuditStore({ reader, writer, statements }: Access): AuditStore {
  return {
    begin: (event) =>
      writer.write("auditBegin", event.tenant, event.event_id, event.ts_ms, JSON.stringify(event)),
    end: (tenant, eventId, end) => writer.write("auditEnd", tenant, eventId, JSON.stringify(end)),
    list: (filter, page) =>
      listAuditEvents(filter, page, async (stretch) => {
        const rows = await reader.all(statements.audit.list, stretch);
        return rows.map((row) => eventOf(row.doc, row.end_doc));
      }),
  };
}

const eventOf = (doc: string, end: string | null): AuditEvent => ({
  ...parseStored<AuditEvent>(doc),
  ...(end === null ? {} : parseStored<AuditEnd>(end)),
});

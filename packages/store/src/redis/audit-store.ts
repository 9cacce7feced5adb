import type { AuditEnd, AuditEvent } from "@sous/contract";
import { listAuditEvents } from "../audit-walk.ts";
import type { AuditStore } from "../store.ts";
import { parseStored } from "../stored.ts";
import type { Access } from "./access.ts";
import { padded, SEPARATOR } from "./store-keys.ts";

/** Audit events in Redis. */
export function createAuditStore({ reader, writer, keys }: Access): AuditStore {
  return {
    async begin(event) {
      const { tenant, event_id: id, ts_ms } = event;
      await writer.write(
        "auditBegin",
        [keys.auditEvents(tenant), keys.auditOfTenant(tenant), keys.auditOfAll],
        [
          id,
          JSON.stringify(event),
          [padded(ts_ms), id].join(SEPARATOR),
          [padded(ts_ms), tenant, id].join(SEPARATOR),
        ],
      );
    },
    async end(tenant, eventId, end) {
      const touched = [keys.auditEvents(tenant), keys.auditEnds(tenant)];
      return (await writer.write("auditEnd", touched, [eventId, JSON.stringify(end)])) === 1;
    },
    list: (filter, page) =>
      listAuditEvents(filter, page, async ({ tenant, beforeMs, beforeId, floorMs, limit }) => {
        const range = [
          `(${padded(beforeMs)}${SEPARATOR}${beforeId}`,
          `[${padded(floorMs)}`,
          "LIMIT",
          0,
          limit,
        ];
        const places = await reader.send<string[]>("ZREVRANGEBYLEX", keys.auditOfTenant(tenant), range);
        if (places.length === 0) return [];
        const ids = places.map((place) => place.slice(place.indexOf(SEPARATOR) + 1));
        const [events, ends] = await Promise.all([
          reader.send<(string | null)[]>("HMGET", keys.auditEvents(tenant), ids),
          reader.send<(string | null)[]>("HMGET", keys.auditEnds(tenant), ids),
        ]);
        return ids
          .map((_, at) => eventOf(events[at] ?? null, ends[at] ?? null))
          .filter((event) => event !== undefined);
      }),
  };
}

function eventOf(begun: string | null, end: string | null): AuditEvent | undefined {
  if (begun === null) return undefined;
  return { ...parseStored<AuditEvent>(begun), ...(end === null ? {} : parseStored<AuditEnd>(end)) };
}

import type { AuditEvent } from "@sous/contract";
import { checkLimit, decodeCursor, encodeCursor } from "./cursor.ts";
import type { AuditFilter, Page, PageRequest } from "./store.ts";

/** Events read in one step, and steps of one page: a filter that nothing passes must not read for ever. */
const STRETCH = 250;
const STRETCHES = 40;

/** A stretch of a tenant's events: below a moment and id, not before another moment, newest first. */
export interface AuditStretch {
  tenant: string;
  beforeMs: number;
  beforeId: string;
  floorMs: number;
  limit: number;
}

/** Walks the events of a tenant, newest first, until a page is full, nothing is left, or enough was looked at. */
export async function listAuditEvents(
  filter: AuditFilter,
  page: PageRequest,
  read: (stretch: AuditStretch) => Promise<AuditEvent[]>,
): Promise<Page<AuditEvent>> {
  checkLimit(page);
  const { tenant, sinceMs: floorMs = 0, untilMs = Number.MAX_SAFE_INTEGER - 1 } = filter;
  let [beforeMs, beforeId] = decodeCursor(page, [untilMs + 1, ""]);
  const items: AuditEvent[] = [];
  for (let step = 0; step < STRETCHES; step++) {
    const events = await read({ tenant, beforeMs, beforeId, floorMs, limit: STRETCH });
    for (const event of events) {
      if (passes(event, filter)) {
        if (items.length === page.limit) return { items, next_cursor: encodeCursor([beforeMs, beforeId]) };
        items.push(event);
      }
      [beforeMs, beforeId] = [event.ts_ms, event.event_id];
    }
    if (events.length < STRETCH) return { items, next_cursor: null };
  }
  return { items, next_cursor: encodeCursor([beforeMs, beforeId]) };
}

const passes = (event: AuditEvent, { sub, action, type, resource, outcome }: AuditFilter): boolean =>
  (sub ?? event.actor.sub) === event.actor.sub &&
  (action ?? event.action) === event.action &&
  (type ?? event.type) === event.type &&
  (outcome ?? event.outcome) === event.outcome &&
  (resource === undefined || event.resource.startsWith(resource));

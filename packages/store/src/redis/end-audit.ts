import { parseStored } from "../stored.ts";
import type { Row } from "../transfer/kinds.ts";
import { type EndAccess, type EndPart, inBatches, lexMembers, text } from "./end-part.ts";
import { padded, SEPARATOR } from "./store-keys.ts";

/** Audit events, by moment. */
export function auditPart(access: EndAccess): EndPart {
  const { reader, keys, put } = access;
  const read = async (tenant: string, id: string): Promise<Row | undefined> => {
    const [doc, end_doc] = await Promise.all([
      reader.send<string | null>("HGET", keys.auditEvents(tenant), id),
      reader.send<string | null>("HGET", keys.auditEnds(tenant), id),
    ]);
    if (doc === null) return undefined;
    return { tenant, id, at_ms: parseStored<{ ts_ms: number }>(doc).ts_ms, doc, end_doc };
  };
  async function* rows(): AsyncIterable<Row> {
    for await (const places of lexMembers(access, keys.auditOfAll)) {
      for (const place of places) {
        const [, tenant = "", id = ""] = place.split(SEPARATOR);
        const row = await read(tenant, id);
        if (row !== undefined) yield row;
      }
    }
  }
  return {
    read: () => inBatches("audit", rows()),
    find: (wanted) => Promise.all(wanted.map((row) => read(text(row, "tenant"), text(row, "id")))),
    async insert(added) {
      await Promise.all(
        added.flatMap((row) => {
          const [tenant, id, moment] = [text(row, "tenant"), text(row, "id"), padded(Number(row["at_ms"]))];
          const end = row["end_doc"];
          return [
            put("ZADD", keys.auditOfAll, 0, [moment, tenant, id].join(SEPARATOR)),
            put("ZADD", keys.auditOfTenant(tenant), 0, [moment, id].join(SEPARATOR)),
            put("HSET", keys.auditEvents(tenant), id, text(row, "doc")),
            ...(typeof end === "string" ? [put("HSET", keys.auditEnds(tenant), id, end)] : []),
          ];
        }),
      );
    },
  };
}

import type { ScheduleState } from "@sous/contract";
import type { FunctionKey } from "../store.ts";
import { parseStored } from "../stored.ts";
import type { Row } from "../transfer/kinds.ts";
import { type EndAccess, type EndPart, inBatches, namesOf, text } from "./end-part.ts";
import { padded, SEPARATOR } from "./store-keys.ts";

const pathOf = (row: Row): FunctionKey => ({
  tenant: text(row, "tenant"),
  namespace: text(row, "namespace"),
  name: text(row, "name"),
});

export function schedulePart(access: EndAccess): EndPart {
  const { reader, keys, put } = access;
  const read = async (key: FunctionKey): Promise<Row | undefined> => {
    const [doc, written, inflight = null] = await reader.send<(string | null)[]>(
      "MGET",
      keys.schedule(key),
      keys.scheduleState(key),
      keys.scheduleInflight(key),
    );
    if (typeof doc !== "string" || typeof written !== "string") return undefined;
    const state = parseStored<WrittenState>(written);
    const { uid, generation, tick_seq, next_tick_ms, due_at_ms, catchup_end_seq } = state;
    return { ...key, uid, generation, doc, tick_seq, next_tick_ms, due_at_ms, inflight, catchup_end_seq };
  };
  async function* rows(): AsyncIterable<Row> {
    for (const scope of (await access.census()).schedules) {
      for (const name of await namesOf(access, keys.schedules(scope))) {
        const row = await read({ ...scope, name });
        if (row !== undefined) yield row;
      }
    }
  }
  return {
    read: () => inBatches("schedules", rows()),
    find: (wanted) => Promise.all(wanted.map((row) => read(pathOf(row)))),
    async insert(added) {
      await Promise.all(
        added.flatMap((row) => {
          const key = pathOf(row);
          const { uid, tick_seq, generation, next_tick_ms, due_at_ms, inflight, catchup_end_seq } = row;
          const path = [key.tenant, key.namespace, key.name].join(SEPARATOR);
          const place = `${padded(Number(due_at_ms))}${SEPARATOR}${String(uid)}${SEPARATOR}${path}`;
          // In the order of fields that the script of schedules compares and writes.
          const state = { uid, tick_seq, generation, next_tick_ms, due_at_ms, catchup_end_seq };
          return [
            put("ZADD", keys.schedules(key), 0, key.name),
            ...(due_at_ms === null ? [] : [put("ZADD", keys.schedulesDue, 0, place)]),
            ...(typeof inflight === "string" ? [put("SET", keys.scheduleInflight(key), inflight)] : []),
            put("SET", keys.scheduleState(key), JSON.stringify(state)),
            put("SET", keys.schedule(key), text(row, "doc")),
          ];
        }),
      );
    },
  };
}

/** As `lua/schedules.lua` writes it. */
type WrittenState = Omit<ScheduleState, "inflight"> & { uid: string; generation: number };

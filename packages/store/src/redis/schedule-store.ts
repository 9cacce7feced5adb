import type { ScheduleRecord, ScheduleState } from "@sous/contract";
import { checkLimit, decodeCursor, pageOf } from "../cursor.ts";
import type { FunctionKey, ScheduleStart, ScheduleStore, StoredSchedule } from "../store.ts";
import { parseStored } from "../stored.ts";
import { type Access, afterName } from "./access.ts";
import { titleOf } from "./function-stores.ts";
import { padded, SEPARATOR } from "./store-keys.ts";

/** Schedules read in one step, each with its state. */
const SCHEDULES = 32;

/** The state as the script writes it; what is in flight lies beside it. */
type WrittenState = Omit<ScheduleState, "inflight">;

/** Schedules in Redis. */
export function createScheduleStore(
  { reader, writer, keys }: Access,
  bounds: { perNamespaceMax: number },
): ScheduleStore {
  async function readAll(paths: readonly FunctionKey[]): Promise<StoredSchedule[]> {
    const found: StoredSchedule[] = [];
    for (let at = 0; at < paths.length; at += SCHEDULES) {
      const some = paths.slice(at, at + SCHEDULES);
      const touched = some.flatMap((key) => [
        keys.schedule(key),
        keys.scheduleState(key),
        keys.scheduleInflight(key),
      ]);
      // One command, so that record and state are of one moment.
      const texts = await reader.send<(string | null)[]>("MGET", touched);
      for (let n = 0; n < texts.length; n += 3) {
        const [record = null, state = null, inflight = null] = texts.slice(n, n + 3);
        if (record !== null && state !== null) found.push(storedOf(record, state, inflight));
      }
    }
    return found;
  }

  return {
    async create(record, start) {
      const { namespace, name, uid } = record;
      const { perNamespaceMax } = bounds;
      await writer.write(
        "scheduleCreate",
        [keys.schedule(record), keys.scheduleState(record), keys.schedules(record), keys.schedulesDue],
        [
          pathOf(record),
          name,
          JSON.stringify(uid),
          JSON.stringify(record),
          whenOf({ ...start, catchup_end_seq: null }),
          perNamespaceMax,
          `Schedule ${titleOf(record)} exists; change it with PATCH`,
          `Namespace ${namespace} holds ${perNamespaceMax} schedules, which is all it may; delete one first`,
        ],
      );
    },
    get: async (key) => (await readAll([key]))[0],
    async list(scope, page) {
      checkLimit(page);
      const [after] = decodeCursor(page, [""]);
      const range = [afterName(after), "+", "LIMIT", 0, page.limit + 1];
      const names = await reader.send<string[]>("ZRANGEBYLEX", keys.schedules(scope), range);
      const { items, next_cursor } = pageOf(
        names,
        page.limit,
        (name) => ({ ...scope, name }),
        (name) => [name],
      );
      return { items: await readAll(items), next_cursor };
    },
    async replace(record, start) {
      const { uid, generation } = record;
      const reply = await writer.write(
        "scheduleReplace",
        [keys.schedule(record), keys.scheduleState(record), keys.schedulesDue],
        [
          pathOf(record),
          JSON.stringify(uid),
          generation,
          JSON.stringify(record),
          whenOf({ ...start, catchup_end_seq: null }),
        ],
      );
      return reply === 1;
    },
    async delete(key) {
      await writer.write(
        "scheduleDelete",
        [
          keys.schedule(key),
          keys.scheduleState(key),
          keys.scheduleInflight(key),
          keys.schedules(key),
          keys.schedulesDue,
        ],
        [pathOf(key), key.name, `There is no schedule ${titleOf(key)}`],
      );
    },
    async due(untilMs, page) {
      checkLimit(page);
      const [afterMs, afterUid] = decodeCursor(page, [-1, ""]);
      // No uid holds what follows the separator, so that this passes over all of one uid.
      const from = afterMs < 0 ? "-" : `(${padded(afterMs)}${SEPARATOR}${afterUid}${PAST_SEPARATOR}`;
      const range = [from, `(${padded(untilMs + 1)}`, "LIMIT", 0, page.limit + 1];
      const places = await reader.send<string[]>("ZRANGEBYLEX", keys.schedulesDue, range);
      const { items, next_cursor } = pageOf(places, page.limit, readPath, placeKey);
      const isDue = ({ state }: StoredSchedule): boolean =>
        state.due_at_ms !== null && state.due_at_ms <= untilMs;
      // One that was moved since its place was read may no longer be due.
      return { items: (await readAll(items)).filter(isDue), next_cursor };
    },
    async advance({ record, state }, next, fence) {
      const { inflight, tick_seq, ...when } = next;
      const reply = await writer.write(
        "scheduleAdvance",
        [
          keys.scheduleState(record),
          keys.scheduleInflight(record),
          keys.schedulesDue,
          ...(fence === undefined ? [] : [keys.lease(fence.lease)]),
        ],
        [
          pathOf(record),
          JSON.stringify(record.uid),
          state.tick_seq,
          tick_seq,
          whenOf(when),
          inflight ?? "",
          ...(fence === undefined ? [] : [fence.epoch]),
        ],
      );
      return reply === 1;
    },
  };
}

const PAST_SEPARATOR = " ";

const pathOf = ({ tenant, namespace, name }: FunctionKey): string =>
  [tenant, namespace, name].join(SEPARATOR);

/** @returns the key of a place among what is due, which is moment, uid, tenant, namespace and name */
function readPath(place: string): FunctionKey {
  const [, , tenant = "", namespace = "", name = ""] = place.split(SEPARATOR);
  return { tenant, namespace, name };
}

function placeKey(place: string): [number, string] {
  const [moment, uid = ""] = place.split(SEPARATOR);
  return [Number(moment), uid];
}

/** @returns the end of a state's JSON, as the script puts it together */
const whenOf = ({
  next_tick_ms,
  due_at_ms,
  catchup_end_seq,
}: ScheduleStart & Pick<ScheduleState, "catchup_end_seq">) =>
  `"next_tick_ms":${next_tick_ms},"due_at_ms":${due_at_ms},"catchup_end_seq":${catchup_end_seq}}`;

function storedOf(record: string, written: string, inflight: string | null): StoredSchedule {
  const { tick_seq, next_tick_ms, due_at_ms, catchup_end_seq } = parseStored<WrittenState>(written);
  const state = { tick_seq, next_tick_ms, due_at_ms, inflight, catchup_end_seq };
  return { record: parseStored<ScheduleRecord>(record), state };
}

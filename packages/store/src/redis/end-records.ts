import type { JournalEntry } from "../store.ts";
import { parseStored } from "../stored.ts";
import { keyOf, type Row } from "../transfer/kinds.ts";
import { linesOf, partsOf } from "../transfer/sql-end.ts";
import { activationKeys, readPlace } from "./activation-index.ts";
import { createGroups } from "./ended-groups.ts";
import {
  byKey,
  type EndAccess,
  type EndPart,
  inBatches,
  lexMembers,
  scoredMembers,
  text,
} from "./end-part.ts";
import { createQueueJournal } from "./small-stores.ts";
import { SEPARATOR } from "./store-keys.ts";

export function activationPart(access: EndAccess): EndPart {
  const { reader, writer, keys } = access;
  const read = async (tenant: string, id: string): Promise<Row | undefined> => {
    const [doc, state] = await reader.send<(string | null)[]>(
      "MGET",
      keys.activation(tenant, id),
      keys.activationStatus(tenant, id),
    );
    if (typeof doc !== "string" || typeof state !== "string") return undefined;
    const [status = "", attempt, ...place] = state.split(" ");
    const { enqueued_at_ms, trigger, namespace, name } = readPlace(place.join(" "));
    return {
      tenant,
      id,
      namespace,
      function: name,
      status,
      trigger,
      attempt: Number(attempt),
      enqueued_at_ms,
      doc,
    };
  };
  async function* rows(): AsyncIterable<Row> {
    // Open ones first: what ends meanwhile is found once more, not missed.
    for (const index of [keys.openActivations, keys.endedActivations]) {
      for await (const places of lexMembers(access, index)) {
        const found = await Promise.all(places.map(readPlace).map(({ tenant, id }) => read(tenant, id)));
        for (const row of found) if (row !== undefined) yield row;
      }
    }
  }
  return {
    read: () => inBatches("activations", rows()),
    find: (wanted) => Promise.all(wanted.map((row) => read(text(row, "tenant"), text(row, "id")))),
    async insert(added) {
      await Promise.all(
        added.map((row) => {
          const [tenant, namespace, name] = [
            text(row, "tenant"),
            text(row, "namespace"),
            text(row, "function"),
          ];
          const id = text(row, "id");
          const touched = activationKeys(keys, { tenant, namespace, name }, id);
          const place = ["", tenant, id, row["trigger"], namespace, name].join(SEPARATOR);
          return writer.write(
            "activationCreate",
            [
              touched.meta,
              touched.status,
              touched.ofTenant,
              touched.ofFunction,
              keys.openActivations,
              keys.endedActivations,
              keys.activationSequence,
            ],
            [
              text(row, "status"),
              Number(row["attempt"]),
              text(row, "doc"),
              Number(row["enqueued_at_ms"]),
              place,
              id,
            ],
          );
        }),
      );
    },
  };
}

export function groupPart(access: EndAccess): EndPart {
  const { reader, keys } = access;
  const groups = createGroups(access);
  const read = async (place: string, firstMs: number): Promise<Row | undefined> => {
    const [seq = "", last, ends] = place.split(" ");
    const doc = await reader.send<string | null>("HGET", keys.groupDocuments, seq);
    return doc === null ? undefined : { first_ms: firstMs, last_ms: Number(last), ends: Number(ends), doc };
  };
  async function* rows(): AsyncIterable<Row> {
    for await (const places of scoredMembers(access, keys.groups)) {
      for (const { member, score } of places) {
        const row = await read(member, score);
        if (row !== undefined) yield row;
      }
    }
  }
  const find = async (wanted: Row): Promise<Row | undefined> => {
    const first = Number(wanted["first_ms"]);
    const places = await reader.send<string[]>("ZRANGEBYSCORE", keys.groups, first, first);
    for (const place of places) {
      const row = await read(place, first);
      if (
        row !== undefined &&
        keyOf("groups", row) === keyOf("groups", wanted) &&
        row["doc"] === wanted["doc"]
      ) {
        return row;
      }
    }
    return undefined;
  };
  return {
    read: () => inBatches("groups", rows()),
    find: (wanted) => Promise.all(wanted.map(find)),
    async insert(added) {
      for (const row of added) {
        await groups.append({
          size: Number(row["ends"]),
          span: { firstMs: Number(row["first_ms"]), lastMs: Number(row["last_ms"]) },
          parts: partsOf(text(row, "doc")),
          toText: () => text(row, "doc"),
        });
      }
    },
  };
}

export function logPart(access: EndAccess): EndPart {
  const { reader, writer, keys } = access;
  const read = async (tenant: string, id: string, atMs: string | null): Promise<Row | undefined> => {
    if (atMs === null) return undefined;
    const lines = await reader.send<string[]>("LRANGE", keys.log(tenant, id), 0, -1);
    if (lines.length === 0) return undefined;
    return { tenant, activation_id: id, at_ms: Number(atMs), lines: JSON.stringify(lines) };
  };
  const readAll = async (places: readonly string[]): Promise<(Row | undefined)[]> => {
    const scores = await reader.send<(string | null)[]>("ZMSCORE", keys.logs, places);
    return await Promise.all(
      places.map((place, at) => {
        const [tenant = "", id = ""] = place.split(SEPARATOR);
        return read(tenant, id, scores[at] ?? null);
      }),
    );
  };
  async function* rows(): AsyncIterable<Row> {
    for await (const places of scoredMembers(access, keys.logs)) {
      const members = places.map(({ member }) => member);
      for (let at = 0; at < members.length; at += LOGS_AT_ONCE) {
        for (const row of await readAll(members.slice(at, at + LOGS_AT_ONCE)))
          if (row !== undefined) yield row;
      }
    }
  }
  const placeOf = (row: Row): string => text(row, "tenant") + SEPARATOR + text(row, "activation_id");
  return {
    read: () => inBatches("logs", rows()),
    find: (wanted) => readAll(wanted.map(placeOf)),
    async insert(added) {
      await Promise.all(
        added.map((row) =>
          writer.write(
            "logsAppend",
            [keys.log(text(row, "tenant"), text(row, "activation_id")), keys.logs],
            [placeOf(row), Number(row["at_ms"]), ...linesOf(row)],
          ),
        ),
      );
    },
  };
}

const LOGS_AT_ONCE = 20;

export function journalPart(access: EndAccess): EndPart {
  const journal = createQueueJournal(access);
  const rowOf = ({ dead, ...entry }: JournalEntry): Row => ({ ...entry, dead: dead ? 1 : 0 });
  async function* rows(): AsyncIterable<Row> {
    yield* (await journal.load()).map(rowOf);
  }
  return {
    read: () => inBatches("journal", rows()),
    async find(wanted) {
      const { reader, keys } = access;
      const ids = wanted.map((row) => text(row, "id"));
      const heads = await reader.send<(string | null)[]>("HMGET", keys.journalEntries, ids);
      const bodies = await reader.send<(string | null)[]>("HMGET", keys.journalBodies, ids);
      const found = heads.flatMap((head, at) => {
        const body_json = bodies[at];
        if (head === null || typeof body_json !== "string") return [];
        return [rowOf({ ...parseStored<Omit<JournalEntry, "body_json">>(head), body_json })];
      });
      const known = byKey("journal", found);
      return wanted.map((row) => known.get(keyOf("journal", row)));
    },
    async insert(added) {
      // One after the other: their order is the queue's.
      for (const { dead, ...entry } of added) {
        await journal.append({ ...(entry as unknown as JournalEntry), dead: dead === 1 });
      }
    },
  };
}

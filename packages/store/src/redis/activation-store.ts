import type { ActivationRecord } from "@sous/contract";
import { checkLimit, decodeCursor, pageOf } from "../cursor.ts";
import { NEWEST, newestFirst, type Placed, walkEnds } from "../ended-walk.ts";
import type { ActivationStore, LogStore } from "../store.ts";
import { parseStored } from "../stored.ts";
import type { Access } from "./access.ts";
import { activationKeys, walkRecords } from "./activation-index.ts";
import { createGroups } from "./ended-groups.ts";
import { SEPARATOR } from "./store-keys.ts";

/** Activation records in Redis. */
export function createActivationStore(access: Access): ActivationStore {
  const { reader, writer, keys } = access;
  const groups = createGroups(access);
  return {
    async create(record) {
      const { keys: touched, args } = insertion(access, record);
      await writer.write("activationCreate", touched, [...args, record.activation_id]);
    },
    async finish(record) {
      const { keys: touched, args } = insertion(access, record);
      return (await writer.write("activationFinish", touched, args)) === 1;
    },
    async update({ tenant, activation_id: id, ...record }) {
      const reply = await writer.write(
        "activationUpdate",
        [keys.activation(tenant, id), keys.activationStatus(tenant, id)],
        [record.status, record.attempt, JSON.stringify({ activation_id: id, tenant, ...record })],
      );
      return reply === 1;
    },
    append: (group) => groups.append(group),
    async get(tenant, id) {
      const doc = await reader.send<string | null>("GET", keys.activation(tenant, id));
      if (doc !== null) return parseStored<ActivationRecord>(doc);
      return (await groups.find(tenant, id))?.record;
    },
    async list(filter, page) {
      checkLimit(page);
      const before = decodeCursor(page, NEWEST);
      const count = page.limit + 1;
      const [records, ends] = await Promise.all([
        firstOf(count, walkRecords(access, filter, before)),
        firstOf(count, walkEnds(groups, filter, before)),
      ]);
      return pageOf(
        [...records, ...ends].toSorted(newestFirst),
        page.limit,
        ({ record }) => record,
        ({ enqueued_at_ms, seq }) => [enqueued_at_ms, seq],
      );
    },
    async unfinished(limit) {
      const places = await reader.send<string[]>("ZRANGE", keys.openActivations, 0, limit - 1);
      const docs = await reader.texts(
        places.map((place) => {
          const [, tenant = "", id = ""] = place.split(SEPARATOR);
          return keys.activation(tenant, id);
        }),
      );
      return docs.filter((doc) => doc !== null).map((doc) => parseStored<ActivationRecord>(doc));
    },
  };
}

function insertion({ keys }: Access, record: ActivationRecord) {
  const { tenant, namespace, function: name, activation_id: id, trigger } = record;
  const touched = activationKeys(keys, { tenant, namespace, name }, id);
  const place = ["", tenant, id, trigger.type, namespace, name].join(SEPARATOR);
  const { status, attempt, enqueued_at_ms } = record;
  return {
    keys: [
      touched.meta,
      touched.status,
      touched.ofTenant,
      touched.ofFunction,
      keys.openActivations,
      keys.endedActivations,
      keys.activationSequence,
    ],
    args: [status, attempt, JSON.stringify(record), enqueued_at_ms, place],
  };
}

async function firstOf(count: number, walk: AsyncIterable<Placed>): Promise<Placed[]> {
  const found: Placed[] = [];
  for await (const placed of walk) {
    found.push(placed);
    if (found.length >= count) break;
  }
  return found;
}

/** Logs of activations in Redis: a list of lines each. */
export function createLogStore(access: Access): LogStore {
  const { reader, writer, keys, now } = access;
  const groups = createGroups(access);
  return {
    async append(tenant, activationId, chunks) {
      if (chunks.length === 0) return;
      await writer.write(
        "logsAppend",
        [keys.log(tenant, activationId), keys.logs],
        [`${tenant}${SEPARATOR}${activationId}`, now(), ...chunks],
      );
    },
    async read(tenant, activationId, from, limit) {
      if (limit <= 0) return [];
      const key = keys.log(tenant, activationId);
      const lines = await reader.send<string[]>("LRANGE", key, from, from + limit - 1);
      if (lines.length > 0) return lines;
      return (await groups.find(tenant, activationId))?.lines.slice(from, from + limit) ?? [];
    },
  };
}

import type { ActivationRecord } from "@sous/contract";
import { passes, type Place, type Placed } from "../ended-walk.ts";
import type { ActivationFilter, FunctionKey } from "../store.ts";
import { parseStored } from "../stored.ts";
import type { Access } from "./access.ts";
import { padded, SEPARATOR, type StoreKeys } from "./store-keys.ts";

/** Places of an index that are looked at in one step. */
const STRETCH = 500;
/** Records read in one step. */
const RECORDS = 64;

/** @returns the keys of one activation, and of the indexes it stands in */
export function activationKeys(keys: StoreKeys, key: FunctionKey, id: string) {
  return {
    meta: keys.activation(key.tenant, id),
    status: keys.activationStatus(key.tenant, id),
    ofTenant: keys.activationsOfTenant(key.tenant),
    ofFunction: keys.activationsOfFunction(key),
    log: keys.log(key.tenant, id),
  };
}

/** What a place in an index tells: when and in which order, then what never changes of the record. */
export interface ActivationPlace {
  enqueued_at_ms: number;
  seq: number;
  tenant: string;
  id: string;
  trigger: string;
  namespace: string;
  name: string;
}

export function readPlace(text: string): ActivationPlace {
  const [order = "", tenant = "", id = "", trigger = "", namespace = "", name = ""] = text.split(SEPARATOR);
  const [enqueued_at_ms, seq] = [Number(order.slice(0, 16)), Number(order.slice(16))];
  return { enqueued_at_ms, seq, tenant, id, trigger, namespace, name };
}

/**
 * Walks the records that pass a filter, newest first, from below a place on; those that were written each by itself.
 * The index of one function is walked when the filter names it, else the tenant's, a stretch at a time: what the place
 * does not tell, the states of the stretch do, and only records that may pass are read.
 */
export async function* walkRecords(
  access: Access,
  filter: ActivationFilter,
  [beforeMs, beforeSeq]: Place,
): AsyncGenerator<Placed> {
  const { reader, keys } = access;
  const { tenant, namespace, function: name } = filter;
  const index =
    namespace !== undefined && name !== undefined
      ? keys.activationsOfFunction({ tenant, namespace, name })
      : keys.activationsOfTenant(tenant);
  const floor = `[${padded(filter.sinceMs ?? 0)}`;
  let below = `(${padded(beforeMs)}${padded(beforeSeq)}`;
  for (;;) {
    const stretch = await reader.send<string[]>("ZREVRANGEBYLEX", index, below, floor, "LIMIT", 0, STRETCH);
    const places = await mayPass(access, filter, stretch.map(readPlace));
    for (let at = 0; at < places.length; at += RECORDS) {
      yield* await readRecords(access, filter, places.slice(at, at + RECORDS));
    }
    const last = stretch.at(-1);
    if (last === undefined || stretch.length < STRETCH) return;
    below = `(${last}`;
  }
}

async function mayPass(
  { reader, keys }: Access,
  filter: ActivationFilter,
  places: readonly ActivationPlace[],
): Promise<ActivationPlace[]> {
  const { namespace, function: name, status, trigger } = filter;
  const fitting = places.filter(
    (place) =>
      (namespace ?? place.namespace) === place.namespace &&
      (name ?? place.name) === place.name &&
      (trigger ?? place.trigger) === place.trigger,
  );
  if (status === undefined || fitting.length === 0) return fitting;
  const states = await reader.send<(string | null)[]>(
    "MGET",
    fitting.map(({ tenant, id }) => keys.activationStatus(tenant, id)),
  );
  return fitting.filter((_, at) => states[at]?.startsWith(`${status} `));
}

async function readRecords(
  { reader, keys }: Access,
  filter: ActivationFilter,
  places: readonly ActivationPlace[],
): Promise<Placed[]> {
  const docs = await reader.texts(places.map(({ tenant, id }) => keys.activation(tenant, id)));
  return places.flatMap(({ enqueued_at_ms, seq }, at) => {
    const doc = docs[at];
    // Swept or changed since its place was read.
    if (doc === null || doc === undefined) return [];
    const record = parseStored<ActivationRecord>(doc);
    return passes(record, filter) ? [{ enqueued_at_ms, seq, record }] : [];
  });
}

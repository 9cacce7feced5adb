import {
  type End,
  type EndedGroup,
  GROUP_SPAN_MS,
  type GroupPart,
  idMoment,
  readGroup,
} from "../ended-group.ts";
import type { GroupHead, GroupSource } from "../ended-walk.ts";
import type { ActivationFilter } from "../store.ts";
import { parseStored, storedOr } from "../stored.ts";
import type { Access } from "./access.ts";
import { padded } from "./store-keys.ts";

/** Heads of groups read at a time. */
const HEADS = 32;
/** Groups one call looks through for an id. */
const LOOKED_AT = 16;

/** One index a group stands in: a tenant's, or with the names a function's. */
export interface GroupIndex {
  tenant: string;
  function?: { namespace: string; name: string } | undefined;
  lastMs: number;
  failed: boolean;
}

/** What is written of a group. */
export type WrittenGroup = Pick<EndedGroup, "size" | "span" | "parts" | "toText">;

/** Groups of ended activations in Redis. */
export interface Groups extends GroupSource {
  append(group: WrittenGroup): Promise<void>;
  /** Finds an end among the groups: few of them may hold the moment its id was made at. */
  find(tenant: string, id: string): Promise<End | undefined>;
}

export function createGroups(access: Access): Groups {
  const { reader, writer, keys, scripts } = access;
  return {
    async append(group) {
      if (group.size === 0) return;
      const { firstMs, lastMs } = group.span;
      const indexes = indexesOf(group.parts);
      await writer.write(
        "activationsAppend",
        [
          keys.groupSequence,
          keys.groupDocuments,
          keys.groupParts,
          keys.groups,
          ...indexes.map((index) => keyOf(access, index)),
        ],
        [firstMs, lastMs, group.size, group.toText(), JSON.stringify(indexes), ...indexes.flatMap(placeArgs)],
      );
    },
    async find(tenant, id) {
      const madeMs = idMoment(id);
      if (madeMs === undefined) return undefined;
      for (let passed = 0; ; passed += LOOKED_AT) {
        const [count, document] = await reader.run<[number, string?]>(
          scripts.findEnd,
          [keys.groups, keys.groupDocuments],
          [id, madeMs, madeMs - GROUP_SPAN_MS, passed, LOOKED_AT],
        );
        if (document !== undefined) {
          return storedOr(() => readGroup(document)).find(
            ({ record }) => record.activation_id === id && record.tenant === tenant,
          );
        }
        if (count < LOOKED_AT) return undefined;
      }
    },
    async *heads(filter, untilMs) {
      const failedOnly = filter.status !== undefined && filter.status !== "success";
      const index = keyOf(access, indexFor(filter));
      const floor = `[${padded(filter.sinceMs ?? 0)}`;
      let below = `(${padded(untilMs + 1)}`;
      for (;;) {
        const range = [below, floor, "LIMIT", 0, HEADS];
        const places = await reader.send<string[]>("ZREVRANGEBYLEX", index, range);
        for (const place of places) {
          if (!failedOnly || place.endsWith("1")) yield headOf(place);
        }
        const last = places.at(-1);
        if (last === undefined || places.length < HEADS) return;
        below = `(${last}`;
      }
    },
    async document(seq) {
      return (await reader.send<string | null>("HGET", keys.groupDocuments, seq)) ?? undefined;
    },
  };
}

/** Removes a group with its places. @returns the ends in it */
export async function sweepGroup(access: Access, place: string): Promise<number> {
  const { reader, writer, keys } = access;
  const [seq = "", , ends = ""] = place.split(" ");
  const stored = await reader.send<string | null>("HGET", keys.groupParts, seq);
  const indexes = stored === null ? [] : parseStored<GroupIndex[]>(stored);
  const reply = await writer.write(
    "sweepGroup",
    [keys.groupDocuments, keys.groupParts, keys.groups, ...indexes.map((index) => keyOf(access, index))],
    [seq, place, ends, ...indexes.map((index) => padded(index.lastMs) + padded(Number(seq)) + flagOf(index))],
  );
  return Number(reply);
}

/** The indexes of a group's parts: one for each tenant, one for each function. */
function indexesOf(parts: readonly GroupPart[]): GroupIndex[] {
  const ofTenants = new Map<string, GroupIndex>();
  const ofFunctions = parts.map((part): GroupIndex => {
    const { tenant, namespace, function: name, lastMs } = part;
    const failed = part.failed > 0;
    const before = ofTenants.get(tenant);
    ofTenants.set(tenant, {
      tenant,
      lastMs: Math.max(lastMs, before?.lastMs ?? 0),
      failed: failed || before?.failed === true,
    });
    return { tenant, function: { namespace, name }, lastMs, failed };
  });
  return [...ofTenants.values(), ...ofFunctions];
}

const flagOf = ({ failed }: GroupIndex): string => (failed ? "1" : "0");

const placeArgs = (index: GroupIndex): [string, string] => [padded(index.lastMs), flagOf(index)];

function keyOf(
  { keys }: Access,
  { tenant, function: path }: Pick<GroupIndex, "tenant" | "function">,
): string {
  return path === undefined ? keys.groupsOfTenant(tenant) : keys.groupsOfFunction({ tenant, ...path });
}

function indexFor({
  tenant,
  namespace,
  function: name,
}: ActivationFilter): Pick<GroupIndex, "tenant" | "function"> {
  if (namespace === undefined || name === undefined) return { tenant };
  return { tenant, function: { namespace, name } };
}

const headOf = (place: string): GroupHead => ({
  lastMs: Number(place.slice(0, 16)),
  seq: Number(place.slice(16, 32)),
});

import type { Access } from "./access.ts";
import { activationKeys, readPlace } from "./activation-index.ts";
import { sweepGroup } from "./ended-groups.ts";
import { kvKeys } from "./kv-store.ts";
import { padded, SEPARATOR } from "./store-keys.ts";

/** Things removed in one step, so that other writes get in between. */
const STEP = 200;

/** Removes what has outlived its time. @returns how much */
export async function sweepStore(access: Access, nowMs: number, outlivedMs: number): Promise<number> {
  return (
    (await sweepActivations(access, outlivedMs)) +
    (await sweepGroups(access, outlivedMs)) +
    (await sweepLogs(access, outlivedMs)) +
    (await sweepDrafts(access, nowMs)) +
    (await sweepKv(access, nowMs))
  );
}

/** Takes steps until one finds nothing, or removes nothing: what is left then is somebody else's. */
async function inSteps<Item>(
  find: () => Promise<Item[]>,
  remove: (item: Item) => Promise<number>,
): Promise<number> {
  let all = 0;
  for (;;) {
    const items = await find();
    const counts = await Promise.all(items.map(remove));
    const removed = counts.reduce((sum, count) => sum + count, 0);
    all += removed;
    if (items.length < STEP || removed === 0) return all;
  }
}

function sweepActivations({ reader, writer, keys }: Access, outlivedMs: number): Promise<number> {
  const range = ["-", `(${padded(outlivedMs)}`, "LIMIT", 0, STEP];
  return inSteps(
    () => reader.send<string[]>("ZRANGEBYLEX", keys.endedActivations, range),
    async (place) => {
      const { tenant, id, namespace, name } = readPlace(place);
      const touched = activationKeys(keys, { tenant, namespace, name }, id);
      const { meta, status, ofTenant, ofFunction, log } = touched;
      const all = [meta, status, ofTenant, ofFunction, keys.endedActivations, log, keys.logs];
      return Number(await writer.write("sweepActivation", all, [place, `${tenant}${SEPARATOR}${id}`]));
    },
  );
}

function sweepGroups(access: Access, outlivedMs: number): Promise<number> {
  const { reader, keys } = access;
  const range = ["-inf", `(${outlivedMs}`, "LIMIT", 0, STEP];
  return inSteps(
    async () => {
      const places = await reader.send<string[]>("ZRANGEBYSCORE", keys.groups, range);
      return places.filter((place) => Number(place.split(" ")[1]) < outlivedMs);
    },
    (place) => sweepGroup(access, place),
  );
}

/** Logs whose activation has no record of its own. */
function sweepLogs({ reader, writer, keys }: Access, outlivedMs: number): Promise<number> {
  const range = ["-inf", `(${outlivedMs}`, "LIMIT", 0, STEP];
  return inSteps(
    () => reader.send<string[]>("ZRANGEBYSCORE", keys.logs, range),
    async (place) => {
      const [tenant = "", id = ""] = place.split(SEPARATOR);
      return Number(await writer.write("sweepLog", [keys.log(tenant, id), keys.logs], [place, outlivedMs]));
    },
  );
}

function sweepDrafts({ reader, writer, keys }: Access, nowMs: number): Promise<number> {
  const range = ["-inf", nowMs, "LIMIT", 0, STEP];
  return inSteps(
    () => reader.send<string[]>("ZRANGEBYSCORE", keys.drafts, range),
    async (place) => {
      const [tenant = "", namespace = "", name = "", id = "", sha256 = ""] = place.split(SEPARATOR);
      const touched = [
        keys.draft({ tenant, namespace, name }, id),
        keys.drafts,
        keys.bundle(sha256),
        keys.bundleDrafts(sha256),
        keys.bundlePublished(sha256),
      ];
      return Number(await writer.write("sweepDraft", touched, [place]));
    },
  );
}

/** Removes audit events of before a moment. @returns how many */
export function sweepAudit({ reader, writer, keys }: Access, beforeMs: number): Promise<number> {
  const range = ["-", `(${padded(beforeMs)}`, "LIMIT", 0, STEP];
  return inSteps(
    () => reader.send<string[]>("ZRANGEBYLEX", keys.auditOfAll, range),
    async (place) => {
      const [moment = "", tenant = "", id = ""] = place.split(SEPARATOR);
      const touched = [
        keys.auditEvents(tenant),
        keys.auditEnds(tenant),
        keys.auditOfTenant(tenant),
        keys.auditOfAll,
      ];
      return Number(await writer.write("sweepAudit", touched, [id, moment + SEPARATOR + id, place]));
    },
  );
}

async function sweepKv({ reader, writer, keys }: Access, nowMs: number): Promise<number> {
  let all = 0;
  for (;;) {
    const range = ["-inf", nowMs, "LIMIT", 0, STEP];
    const members = await reader.send<string[]>("ZRANGEBYSCORE", keys.kvExpiring, range);
    let removed = 0;
    for (const member of members) {
      const [tenant = "", namespace = ""] = member.split(SEPARATOR);
      const args = [member, nowMs, STEP];
      removed += Number(await writer.write("sweepKv", kvKeys(keys, { tenant, namespace }), args));
    }
    all += removed;
    if (removed === 0) return all;
  }
}

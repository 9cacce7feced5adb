import Type, { type Static } from "typebox";
import { CadenceWorkerRecord, cadenceWorkerFields } from "../cadence-worker.ts";
import { ResourceName } from "../names.ts";
import { pageOf } from "./paging.ts";

const closed = { additionalProperties: false } as const;
const { domain, tasklist, worker_id, activity_map, ...rest } = cadenceWorkerFields;

/** Body of `POST …/cadence/workers`. */
export const CreateCadenceWorkerBody = Type.Object(
  {
    name: ResourceName,
    domain,
    tasklist,
    worker_id,
    activity_map,
    ...Type.Partial(Type.Object(rest)).properties,
  },
  closed,
);
export type CreateCadenceWorkerBody = Static<typeof CreateCadenceWorkerBody>;

/** Body of `PATCH …/cadence/workers/{name}`: what changes. The worker's pollers start again with it. */
export const PatchCadenceWorkerBody = Type.Partial(Type.Object(cadenceWorkerFields, closed), {
  ...closed,
  minProperties: 1,
});
export type PatchCadenceWorkerBody = Static<typeof PatchCadenceWorkerBody>;

const shown = {
  ...CadenceWorkerRecord.properties,
  generation: Type.Integer({ minimum: 1, description: "Counts changes, from 1" }),
};

/** One of `GET …/cadence/workers`. */
export const CadenceWorkerItem = Type.Object(shown, closed);
export type CadenceWorkerItem = Static<typeof CadenceWorkerItem>;

/** Answer of POST, GET and PATCH of a Cadence worker. */
export const CadenceWorkerReply = Type.Object(
  { ...shown, warnings: Type.Array(Type.String(), { description: "What will not work yet, a line each" }) },
  closed,
);
export type CadenceWorkerReply = Static<typeof CadenceWorkerReply>;

/** Answer of `GET …/cadence/workers`: by name, ascending. */
export const CadenceWorkerPage = pageOf(CadenceWorkerItem);
export type CadenceWorkerPage = Static<typeof CadenceWorkerPage>;

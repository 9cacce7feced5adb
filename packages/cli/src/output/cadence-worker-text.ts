import type { CadenceWorkerItem, CadenceWorkerReply } from "@sous/contract";
import type { Output } from "./output.ts";
import { formatFields, formatTable } from "./table.ts";

/** Prints one Cadence worker, and what will not work yet. */
export function printCadenceWorker(output: Output, worker: CadenceWorkerReply): void {
  output.data(worker, () => {
    const fields = formatFields([
      ["worker", worker.name],
      ["domain", worker.domain],
      ["task list", worker.tasklist],
      ["identity", worker.worker_id],
      ["pollers", String(worker.pollers.activity)],
      ["at once", `${worker.limits.max_inflight_tasks} activities`],
      ["result", worker.result],
      ["state", worker.enabled ? "enabled" : "paused"],
    ]);
    return `${fields}\n\n${formatTable(["ACTIVITY", "RUNS"], activitiesOf(worker), "nothing")}`;
  });
  for (const warning of worker.warnings) output.warn(warning);
}

/** @returns each activity type with what runs it: `hello@prod` */
export const activitiesOf = ({ activity_map }: CadenceWorkerItem): [string, string][] =>
  Object.entries(activity_map).map(([type, { function: name, alias, version }]) => [
    type,
    `${name}@${alias ?? version ?? "latest"}`,
  ]);

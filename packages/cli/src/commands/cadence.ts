import type { Register } from "../register.ts";
import { registerCadenceWorkerCreate } from "./cadence-worker-create.ts";
import { registerCadenceWorkerDelete } from "./cadence-worker-delete.ts";
import { registerCadenceWorkerGet } from "./cadence-worker-get.ts";
import { registerCadenceWorkerList } from "./cadence-worker-list.ts";
import { registerCadenceWorkerPause } from "./cadence-worker-pause.ts";
import { registerCadenceWorkerResume } from "./cadence-worker-resume.ts";
import { registerCadenceWorkerUpdate } from "./cadence-worker-update.ts";

/** Everything below `cs cadence`. */
export const cadenceCommands: readonly Register[] = [
  registerCadenceWorkerCreate,
  registerCadenceWorkerList,
  registerCadenceWorkerGet,
  registerCadenceWorkerUpdate,
  registerCadenceWorkerPause,
  registerCadenceWorkerResume,
  registerCadenceWorkerDelete,
];

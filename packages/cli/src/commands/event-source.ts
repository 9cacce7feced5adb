import type { Register } from "../register.ts";
import { registerEventSourceCreate } from "./event-source-create.ts";
import { registerEventSourceDelete } from "./event-source-delete.ts";
import { registerEventSourceGet } from "./event-source-get.ts";
import { registerEventSourceList } from "./event-source-list.ts";
import { registerEventSourcePause } from "./event-source-pause.ts";
import { registerEventSourceResume } from "./event-source-resume.ts";
import { registerEventSourceStatus } from "./event-source-status.ts";
import { registerEventSourceUpdate } from "./event-source-update.ts";

/** Everything below `cs event-source`. */
export const eventSourceCommands: readonly Register[] = [
  registerEventSourceCreate,
  registerEventSourceList,
  registerEventSourceGet,
  registerEventSourceUpdate,
  registerEventSourcePause,
  registerEventSourceResume,
  registerEventSourceStatus,
  registerEventSourceDelete,
];

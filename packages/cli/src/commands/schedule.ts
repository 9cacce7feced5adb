import type { Register } from "../register.ts";
import { registerScheduleCreate } from "./schedule-create.ts";
import { registerScheduleDelete } from "./schedule-delete.ts";
import { registerScheduleGet } from "./schedule-get.ts";
import { registerScheduleList } from "./schedule-list.ts";
import { registerSchedulePause } from "./schedule-pause.ts";
import { registerScheduleResume } from "./schedule-resume.ts";
import { registerScheduleRun } from "./schedule-run.ts";
import { registerScheduleUpdate } from "./schedule-update.ts";

/** Everything below `cs schedule`. */
export const scheduleCommands: readonly Register[] = [
  registerScheduleCreate,
  registerScheduleList,
  registerScheduleGet,
  registerScheduleUpdate,
  registerSchedulePause,
  registerScheduleResume,
  registerScheduleRun,
  registerScheduleDelete,
];

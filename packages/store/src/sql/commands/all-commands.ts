import type { Statements } from "../statements.ts";
import type { CommandSteps } from "./commands.ts";
import { auditCommands } from "./audit-commands.ts";
import { functionCommands } from "./function-commands.ts";
import { groupCommands } from "./group-commands.ts";
import { kvCommands } from "./kv-commands.ts";
import { queueCommands } from "./queue-commands.ts";
import { recordCommands } from "./record-commands.ts";
import { resourceCommands } from "./resource-commands.ts";
import { scheduleCommands } from "./schedule-commands.ts";
import { secretCommands } from "./secret-commands.ts";
import { versionCommands } from "./version-commands.ts";

/** Every command over the compiled statements of one engine. */
export function allCommands(sql: Statements): CommandSteps {
  return {
    ...functionCommands(sql),
    ...versionCommands(sql),
    ...groupCommands(sql),
    ...recordCommands(sql),
    ...kvCommands(sql),
    ...secretCommands(sql),
    ...scheduleCommands(sql),
    ...resourceCommands(sql),
    ...auditCommands(sql),
    ...queueCommands(sql),
  };
}

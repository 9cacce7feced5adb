import type { Register } from "../register.ts";
import { registerActivationCancel } from "./activation-cancel.ts";
import { registerActivationExplain } from "./activation-explain.ts";
import { registerActivationGet } from "./activation-get.ts";
import { registerActivationList } from "./activation-list.ts";
import { registerActivationLogs } from "./activation-logs.ts";

/** Everything below `cs activation`, in the order of the help. */
export const activationCommands: readonly Register[] = [
  registerActivationList,
  registerActivationGet,
  registerActivationExplain,
  registerActivationLogs,
  registerActivationCancel,
];

import type { Register } from "../register.ts";
import { registerUserCreate } from "./user-create.ts";
import { registerUserDelete } from "./user-delete.ts";
import { registerUserGet } from "./user-get.ts";
import { registerUserList } from "./user-list.ts";
import { registerUserDisable, registerUserEnable } from "./user-state.ts";
import { registerUserUpdate } from "./user-update.ts";

/** Everything below `cs user`. */
export const userCommands: readonly Register[] = [
  registerUserCreate,
  registerUserList,
  registerUserGet,
  registerUserUpdate,
  registerUserDisable,
  registerUserEnable,
  registerUserDelete,
];

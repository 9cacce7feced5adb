import type { Register } from "../register.ts";
import { registerSecretDelete } from "./secret-delete.ts";
import { registerSecretList } from "./secret-list.ts";
import { registerSecretRekey } from "./secret-rekey.ts";
import { registerSecretSet } from "./secret-set.ts";

/** Everything below `cs secret`. */
export const secretCommands: readonly Register[] = [
  registerSecretSet,
  registerSecretList,
  registerSecretDelete,
  registerSecretRekey,
];

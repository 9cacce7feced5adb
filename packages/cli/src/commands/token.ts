import type { Register } from "../register.ts";
import { registerTokenCreate } from "./token-create.ts";
import { registerTokenList } from "./token-list.ts";
import { registerTokenRevoke } from "./token-revoke.ts";

/** Everything below `cs token`. */
export const tokenCommands: readonly Register[] = [
  registerTokenCreate,
  registerTokenList,
  registerTokenRevoke,
];

import type { Register } from "../register.ts";
import { registerAuthLogin } from "./auth-login.ts";
import { registerAuthWhoami } from "./auth-whoami.ts";

/** Everything below `cs auth`. */
export const authCommands: readonly Register[] = [registerAuthLogin, registerAuthWhoami];

import type { Register } from "../register.ts";
import { registerClusterStatus } from "./cluster-status.ts";

/** Everything below `cs cluster`. */
export const clusterCommands: readonly Register[] = [registerClusterStatus];

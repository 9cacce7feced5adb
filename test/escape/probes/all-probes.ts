import type { EscapeProbe } from "../probe.ts";
import { FILE_PROBES } from "./files.ts";
import { KERNEL_PROBES } from "./kernel.ts";
import { LEAK_PROBES } from "./leaks.ts";
import { PROCESS_PROBES } from "./processes.ts";
import { RESOURCE_PROBES } from "./resources.ts";
import { SOCKET_PROBES } from "./sockets.ts";

/** Every probe by its group. Descriptors are used up last. */
export const ESCAPE_PROBES: Readonly<Record<string, readonly EscapeProbe[]>> = {
  sockets: SOCKET_PROBES,
  files: FILE_PROBES,
  processes: PROCESS_PROBES,
  kernel: KERNEL_PROBES,
  resources: RESOURCE_PROBES,
  leaks: LEAK_PROBES,
};

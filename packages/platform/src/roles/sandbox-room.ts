const MiB = 1024 * 1024;
/** What a sandbox host weighs by itself, beside many others with which it shares its program. */
const HOST_BYTES = 25 * MiB;
/** What a warm program adds: an isolate with the guest in it, and what the program keeps there. */
const PROGRAM_BYTES = 2.5 * MiB;
const HOSTS_MIN = 4;
const HOSTS_MAX = 256;
const PROGRAMS_MIN = 64;
/** With several isolates of the busiest below 400 MiB; a host is ended at 512. */
const PROGRAMS_PER_HOST_MAX = 100;

/** How many sandboxes and warm programs may live at once. */
export interface SandboxRoom {
  hostsMax: number;
  programsPerHostMax: number;
  programsMax: number;
}

/**
 * Shares memory out: half of the machine's is for sandboxes, of that a quarter for hosts and the rest for the programs
 * in them.
 * @param memoryBytes what the process may use: the machine's memory, or its control group's
 */
export function sandboxRoom(memoryBytes: number): SandboxRoom {
  const bytes = memoryBytes / 2;
  return {
    hostsMax: Math.min(HOSTS_MAX, Math.max(HOSTS_MIN, Math.floor(bytes / 4 / HOST_BYTES))),
    programsPerHostMax: PROGRAMS_PER_HOST_MAX,
    programsMax: Math.max(PROGRAMS_MIN, Math.floor((bytes * 3) / 4 / PROGRAM_BYTES)),
  };
}

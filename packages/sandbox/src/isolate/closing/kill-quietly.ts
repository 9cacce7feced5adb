/** Ends a process at once, if it is still there. */
export function killQuietly(pid: number): void {
  // 0 and below would be whole groups of processes, ours among them.
  if (pid <= 1) return;
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended just now.
  }
}

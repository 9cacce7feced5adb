import { spawnSync } from "node:child_process";
import { answerOf, attempt, type EscapeProbe, text } from "../probe.ts";

const SIGCHLD = 17;
const NEW_USER = 0x10000000;
const NEW_NETWORK = 0x40000000;

const signalling = (name: string, run: EscapeProbe["run"]): EscapeProbe => ({ name, run, locked: ["EPERM"] });

/** Other programs and processes: none runs, none can be made, seen or signalled. */
export const PROCESS_PROBES: readonly EscapeProbe[] = [
  {
    name: "running a shell",
    run: ({ system }) => answerOf(system.call("execve", text("/bin/sh"), 0, 0)),
    locked: ["killed"],
    launched: ["ENOENT", "EACCES"],
    alone: true,
  },
  {
    name: "running a program from a descriptor",
    run: ({ system }) => answerOf(system.call("execveat", 4, text(""), 0, 0, 0x1000)),
    locked: ["killed"],
    launched: ["EPERM"],
    alone: true,
  },
  {
    name: "running a program as Node does",
    run: () => {
      const { error, status } = spawnSync("/bin/sh", ["-c", "true"]);
      return (error as NodeJS.ErrnoException | undefined)?.code ?? `ended with ${status}`;
    },
    locked: ["killed", "EPERM"],
    launched: ["EPERM"],
    alone: true,
  },
  {
    name: "fork",
    run: ({ system }) => answerOf(system.call("fork")),
    // arm64 has none.
    locked: process.arch === "x64" ? ["killed"] : ["ENOSYS"],
    launched: process.arch === "x64" ? ["EPERM"] : ["ENOSYS"],
    alone: true,
  },
  {
    name: "clone of a process",
    run: ({ system }) => answerOf(system.call("clone", SIGCHLD, 0, 0, 0, 0)),
    locked: ["EPERM"],
  },
  {
    name: "clone into a user namespace",
    run: ({ system }) => answerOf(system.call("clone", SIGCHLD | NEW_USER, 0, 0, 0, 0)),
    locked: ["EPERM"],
  },
  {
    name: "clone into a network namespace",
    run: ({ system }) => answerOf(system.call("clone", SIGCHLD | NEW_NETWORK, 0, 0, 0, 0)),
    locked: ["EPERM"],
  },
  {
    name: "the newer form of clone",
    run: ({ system }) => answerOf(system.call("clone3", Buffer.alloc(88), 88)),
    locked: ["ENOSYS"],
  },
  signalling("a signal to the parent", ({ parentPid }) => attempt(() => process.kill(parentPid, 0))),
  signalling("a signal to the first process", () => attempt(() => process.kill(1, 0))),
  signalling("a signal to all", ({ system }) => answerOf(system.call("kill", -1, 0))),
  {
    name: "a signal to a thread of the parent",
    run: ({ system, parentPid }) => answerOf(system.call("tgkill", parentPid, parentPid, 0)),
    locked: ["EPERM"],
    launched: ["EPERM", "ESRCH"],
  },
  signalling("a queued signal to the parent", ({ system, parentPid }) =>
    answerOf(system.call("rt_sigqueueinfo", parentPid, 10, Buffer.alloc(128))),
  ),
  signalling("a lower niceness", ({ system }) => answerOf(system.call("setpriority", 0, 0, -20))),
  signalling("another scheduler", ({ system }) =>
    answerOf(system.call("sched_setscheduler", 0, 1, Buffer.alloc(4))),
  ),
  signalling("another process's limits", ({ system, parentPid }) =>
    answerOf(system.call("prlimit64", parentPid, 7, Buffer.alloc(16), 0)),
  ),
  {
    name: "becoming root",
    run: ({ system }) => answerOf(system.call("setuid", 0)),
    locked: ["EPERM"],
    launched: ["EPERM", "EINVAL"],
  },
];

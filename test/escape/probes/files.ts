import { readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { answerOf, attempt, type EscapeProbe, text } from "../probe.ts";

const AT_FDCWD = -100;
/** What a launcher alone may answer: there is no such file, or Landlock refuses it, or the filter does. */
const OUT_OF_REACH = ["ENOENT", "EACCES", "EPERM"];

const reading = (name: string, path: string): EscapeProbe => ({
  name: `reading ${name}`,
  run: () => attempt(() => readFileSync(path, "latin1").slice(0, 100)),
  locked: ["EPERM"],
  launched: OUT_OF_REACH,
});

const changing = (name: string, run: EscapeProbe["run"]): EscapeProbe => ({ name, run, locked: ["EPERM"] });

/** Files: nothing of the platform or the machine is readable, nothing is writable. */
export const FILE_PROBES: readonly EscapeProbe[] = [
  reading("passwords", "/etc/passwd"),
  reading("shadow", "/etc/shadow"),
  reading("the memory map of itself", "/proc/self/maps"),
  reading("the environment of the first process", "/proc/1/environ"),
  reading("a service account", "/var/run/secrets/kubernetes.io/serviceaccount/token"),
  reading("a kernel setting", "/proc/sys/kernel/core_pattern"),
  reading("a device of the disk", "/dev/vda"),
  {
    name: "reading a file of the platform",
    run: ({ secretFile }) => attempt(() => readFileSync(secretFile, "latin1")),
    locked: ["EPERM"],
    launched: OUT_OF_REACH,
  },
  {
    name: "reading from a thread of the pool",
    run: ({ secretFile }) => attempt(() => readFile(secretFile, "latin1")),
    locked: ["EPERM"],
    launched: OUT_OF_REACH,
  },
  {
    name: "whether a file is there",
    run: ({ secretFile }) => attempt(() => statSync(secretFile).size),
    locked: ["EPERM"],
    // Landlock does not hide that a file is there.
    launched: null,
  },
  {
    name: "the environment of the parent",
    run: ({ parentPid }) => attempt(() => readFileSync(`/proc/${parentPid}/environ`, "latin1").length),
    locked: ["EPERM"],
    launched: OUT_OF_REACH,
  },
  {
    name: "the files of the parent",
    run: ({ parentPid }) => attempt(() => readlinkSync(`/proc/${parentPid}/cwd`)),
    locked: ["EPERM"],
    launched: OUT_OF_REACH,
  },
  {
    name: "the other processes",
    run: () => attempt(() => readdirSync("/proc").filter((entry) => /^\d+$/.test(entry)).length),
    locked: ["EPERM"],
    launched: OUT_OF_REACH,
  },
  {
    name: "the working directory",
    run: () => attempt(() => readdirSync(".").length),
    locked: ["EPERM"],
    launched: null,
  },
  changing("writing a file", () => attempt(() => writeFileSync("/tmp/sous-escape", "x"))),
  changing("writing beside itself", () => attempt(() => writeFileSync("sous-escape", "x"))),
  changing("writing to shared memory", () => attempt(() => writeFileSync("/dev/shm/sous-escape", "x"))),
  changing("a folder", ({ system }) =>
    answerOf(system.call("mkdirat", AT_FDCWD, text("/sous-escape"), 0o777)),
  ),
  changing("a link", ({ system }) =>
    answerOf(system.call("symlinkat", text("/etc"), AT_FDCWD, text("/sous-escape"))),
  ),
  changing("a device", ({ system }) =>
    answerOf(system.call("mknodat", AT_FDCWD, text("/sous-escape"), 0o60660, 0x0801)),
  ),
  changing("removing a file", ({ system }) =>
    answerOf(system.call("unlinkat", AT_FDCWD, text("/etc/passwd"), 0)),
  ),
  changing("a file without a name", ({ system }) => answerOf(system.call("memfd_create", text("x"), 0))),
  changing("the newer form of opening", ({ system }) =>
    answerOf(system.call("openat2", AT_FDCWD, text("/etc/passwd"), Buffer.alloc(24), 24)),
  ),
];

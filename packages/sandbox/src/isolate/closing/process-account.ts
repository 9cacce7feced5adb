import { readFileSync, readlinkSync } from "node:fs";

export const NAMESPACES = ["user", "pid", "net", "mnt", "ipc", "uts"] as const;
export type NamespaceKind = (typeof NAMESPACES)[number];

/** What the kernel says about a process, read from outside: a process that was taken over cannot change it. */
export interface ProcessAccount {
  uid: number;
  /** Capabilities it has or could get back. */
  capabilities: bigint;
  noNewPrivileges: boolean;
  /** Filters on its system calls. */
  filters: number;
  /** Namespaces it does not share with this process. */
  ownNamespaces: ReadonlySet<NamespaceKind>;
  /** Whether its root and everything mounted in it are read-only, and none of it is our root. */
  readOnlyRoot: boolean;
  /** Limits by the kernel's names, hard; `Infinity` for none. */
  limits: ReadonlyMap<string, number>;
  /** Text of its `cgroup` file. */
  groupsText: string;
}

/** @returns `undefined` where there is no such process, or no `/proc` */
export function readProcessAccount(pid: number): ProcessAccount | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "";
    const mask = (name: string): bigint => BigInt(`0x${field(name) || "0"}`);
    const ownNamespaces = new Set(NAMESPACES.filter((kind) => isOwn(pid, kind)));
    return {
      uid: Number(field("Uid").split("\t")[1]),
      capabilities: mask("CapPrm") | mask("CapEff") | mask("CapAmb"),
      noNewPrivileges: field("NoNewPrivs") === "1",
      filters: field("Seccomp") === "2" ? Number(field("Seccomp_filters") || "1") : 0,
      ownNamespaces,
      readOnlyRoot: ownNamespaces.has("mnt") && isReadOnly(readFileSync(`/proc/${pid}/mountinfo`, "latin1")),
      limits: parseLimits(readFileSync(`/proc/${pid}/limits`, "latin1")),
      groupsText: readFileSync(`/proc/${pid}/cgroup`, "latin1"),
    };
  } catch {
    return undefined;
  }
}

/** What may not be looked at counts as shared. */
function isOwn(pid: number, kind: NamespaceKind): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`) !== readlinkSync(`/proc/self/ns/${kind}`);
  } catch {
    return false;
  }
}

function isReadOnly(mountInfo: string): boolean {
  const lines = mountInfo.split("\n").filter(Boolean);
  return lines.length > 0 && lines.every((line) => (line.split(" ")[5] ?? "").split(",").includes("ro"));
}

/** @see proc_pid_limits(5): name, soft, hard, unit, in columns */
function parseLimits(text: string): Map<string, number> {
  return new Map(
    text.split("\n").flatMap((line): [string, number][] => {
      const [, name, hard] = /^(Max [a-z -]+?)\s{2,}\S+\s+(\S+)/.exec(line) ?? [];
      return name === undefined ? [] : [[name, hard === "unlimited" ? Infinity : Number(hard)]];
    }),
  );
}

import type { ClosedHost } from "../host/close-host.ts";
import type { Controller } from "./cgroup-places.ts";
import type { LauncherKind } from "./launchers.ts";
import type { NamespaceKind, ProcessAccount } from "./process-account.ts";
import { HOST_RLIMITS } from "./resource-limits.ts";

/**
 * How far a host is closed by the operating system. `closed`: unprivileged, its files out of reach and its
 * system calls filtered for good. `strict`: every layer there is, so that one fault in the kernel or in one layer is not enough.
 */
export const HOST_LEVELS = ["open", "closed", "strict"] as const;
export type HostLevel = (typeof HOST_LEVELS)[number];

/** One layer around a host, as it was found on a host that runs. */
export interface HostLayer {
  /** Short name, the same in documents: `seccomp locked`. */
  name: string;
  on: boolean;
  /** What was found. */
  detail: string;
  /** What to do to have it, where it is off. */
  how?: string;
  /** The lowest level that asks for it; `null` where another layer does its work. */
  level: "closed" | "strict" | null;
}

/** Everything layers are judged by. */
export interface LayerEvidence {
  closed: ClosedHost;
  account: ProcessAccount | undefined;
  launcher: LauncherKind;
  /** Controllers the host's group has. */
  controllers: readonly Controller[];
  /** The user of the platform. */
  ownUid: number;
  linux: boolean;
}

const BUBBLEWRAP =
  "install bubblewrap (apt-get install bubblewrap) and allow it user namespaces, or start as root";
const CGROUP =
  "start as root, or as a systemd service with Delegate=yes and DelegateSubgroup=platform; in a container make /sys/fs/cgroup writable";
const KERNEL = "needs Linux on x86_64 or arm64 with CONFIG_SECCOMP_FILTER";
const FILES = `${BUBBLEWRAP}; or a kernel with Landlock (5.13 or later, in its lsm= list)`;
const EPERM = -1;

/** Judges a host by what the kernel says about it and by what it could still do after it had closed itself. */
export function judgeLayers(evidence: LayerEvidence): HostLayer[] {
  const { account, linux } = evidence;
  if (!linux || account === undefined) return [notLinux()];
  return [
    ...privilegeLayers(evidence, account),
    ...namespaceLayers(evidence, account),
    ...filterLayers(evidence, account),
    ...resourceLayers(evidence, account),
  ];
}

function layer(name: string, level: HostLayer["level"], on: boolean, detail: string, how: string): HostLayer {
  return on ? { name, on, detail, level } : { name, on, detail: "off", how, level };
}

function privilegeLayers({ ownUid }: LayerEvidence, account: ProcessAccount): HostLayer[] {
  const { uid, capabilities, noNewPrivileges } = account;
  const ownHow = "start as root: each host gets a user of its own";
  const rootHow = "start as a user that is not root, or as a root that may change users";
  const capabilityHow = "do not give the platform capabilities that its hosts would keep";
  return [
    layer("own user", "strict", uid !== ownUid, `uid ${uid}`, ownHow),
    layer("not root", "closed", uid !== 0, `uid ${uid}`, rootHow),
    layer("no capabilities", "closed", capabilities === 0n, "none held", capabilityHow),
    layer("no new privileges", "closed", noNewPrivileges, "on", KERNEL),
  ];
}

function namespaceLayers(evidence: LayerEvidence, account: ProcessAccount): HostLayer[] {
  const own = (name: string, kind: NamespaceKind, detail: string): HostLayer =>
    layer(name, "strict", account.ownNamespaces.has(kind), detail, BUBBLEWRAP);
  const root = "Node and the host program, nothing else";
  return [
    userNamespace(account),
    own("pid namespace", "pid", "sees itself only"),
    own("network namespace", "net", "no network device"),
    own("mount namespace", "mnt", "file system of its own"),
    own("ipc namespace", "ipc", "message queues of its own"),
    own("uts namespace", "uts", "host name of its own"),
    layer("read-only root", "strict", account.readOnlyRoot, root, BUBBLEWRAP),
  ];
}

function filterLayers(evidence: LayerEvidence, account: ProcessAccount): HostLayer[] {
  const { closed, launcher } = evidence;
  const { filters, readOnlyRoot } = account;
  const attempts = closed.attempts === null ? [] : Object.values(closed.attempts);
  const launched = launcher !== "plain" && filters > 1;
  const locked = closed.locked === 0 && filters > 0 && attempts.every((answer) => answer === EPERM);
  const files = readOnlyRoot ? "by the read-only root" : "by Landlock";
  return [
    landlock(evidence, account),
    layer("files out of reach", "closed", readOnlyRoot || closed.rootRefused, files, FILES),
    layer("seccomp at launch", "closed", launched, "no socket, process, writing or io_uring", KERNEL),
    layer("seccomp locked", "closed", locked, "opens nothing, runs nothing", KERNEL),
  ];
}

function resourceLayers(evidence: LayerEvidence, account: ProcessAccount): HostLayer[] {
  const { limited, diesWithParent } = evidence.closed;
  const group = (controller: Controller, detail: string): HostLayer =>
    layer(`cgroup ${controller}`, "strict", inGroup(evidence, controller), detail, CGROUP);
  const limits = `${HOST_RLIMITS.openFiles} files, no core dump`;
  return [
    group("memory", "the kernel ends a host beyond its limit"),
    group("cpu", "a share of the processors"),
    group("pids", "threads are counted"),
    layer("resource limits", "closed", limited && limitsHold(account), limits, KERNEL),
    layer("dies with its parent", "closed", diesWithParent, "on", KERNEL),
  ];
}

/** @returns the highest level all of whose layers are on */
export function levelOf(layers: readonly HostLayer[]): HostLevel {
  const missing = (level: HostLayer["level"]): boolean =>
    layers.some((layer) => layer.level === level && !layer.on);
  if (missing("closed")) return "open";
  return missing("strict") ? "closed" : "strict";
}

/** @returns the layers a level asks for that are off */
export function missingLayers(layers: readonly HostLayer[], level: HostLevel): HostLayer[] {
  const asked: readonly HostLayer["level"][] =
    level === "open" ? [] : level === "closed" ? ["closed"] : ["closed", "strict"];
  return layers.filter((layer) => !layer.on && asked.includes(layer.level));
}

function userNamespace(account: ProcessAccount): HostLayer {
  const on = account.ownNamespaces.has("user");
  const name = "user namespace";
  if (on) return { name, on, detail: "ids of its own, further ones refused", level: null };
  return { name, on, detail: "off", how: BUBBLEWRAP, level: null };
}

/** Landlock does for a host that jails itself what the read-only root does for one in a mount namespace. */
function landlock({ closed }: LayerEvidence, account: ProcessAccount): HostLayer {
  const name = "Landlock";
  if (closed.rootRefused) return { name, on: true, detail: "reads its own program only", level: null };
  if (account.readOnlyRoot) return { name, on: false, detail: "not needed: there are no files", level: null };
  return {
    name,
    on: false,
    detail: "off",
    how: "needs a kernel with Landlock (5.13 or later, in the lsm= list)",
    level: null,
  };
}

function inGroup({ account, controllers }: LayerEvidence, controller: Controller): boolean {
  const lines = (account?.groupsText ?? "").split("\n");
  const line =
    lines.find((one) => one.split(":")[1]?.split(",").includes(controller)) ??
    lines.find((one) => one.startsWith("0:"));
  return controllers.includes(controller) && /\/sous-[\d-]+\/host-\d+$/.test(line ?? "");
}

function limitsHold({ limits }: ProcessAccount): boolean {
  const within = (name: string, most: number): boolean => (limits.get(name) ?? Infinity) <= most;
  return (
    within("Max core file size", HOST_RLIMITS.coreBytes) &&
    within("Max open files", HOST_RLIMITS.openFiles) &&
    within("Max file size", HOST_RLIMITS.fileBytes)
  );
}

const notLinux = (): HostLayer => ({
  name: "closed by the operating system",
  on: false,
  detail: "off",
  how: "run the platform on Linux, for example in a virtual machine or a container",
  level: "closed",
});

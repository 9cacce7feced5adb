import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

export const CONTROLLERS = ["memory", "cpu", "pids"] as const;
export type Controller = (typeof CONTROLLERS)[number];

/** Where a controller may take groups of ours: folders to try, the nearest to this process first. */
export interface CgroupPlace {
  controller: Controller;
  version: 1 | 2;
  folders: readonly string[];
}

interface Mount {
  root: string;
  point: string;
  version: 1 | 2;
  controllers: readonly string[];
}

/**
 * Finds the groups this process runs in.
 * @param mountInfo text of `/proc/self/mountinfo`
 * @param ownGroups text of `/proc/self/cgroup`
 * @param controllersOf the controllers of a version 2 folder, by its path
 */
export function findCgroupPlaces(
  mountInfo: string,
  ownGroups: string,
  controllersOf: (folder: string) => readonly string[],
): CgroupPlace[] {
  const mounts = mountInfo.split("\n").flatMap(parseMount);
  return CONTROLLERS.flatMap((controller): CgroupPlace[] => {
    const first = mounts.find((mount) => mount.version === 1 && mount.controllers.includes(controller));
    const second = mounts.find(
      (mount) => mount.version === 2 && controllersOf(mount.point).includes(controller),
    );
    const mount = first ?? second;
    if (mount === undefined) return [];
    const folder = ownFolder(mount, ownPath(ownGroups, mount.version === 1 ? controller : ""));
    const { version } = mount;
    return [{ controller, version, folders: version === 1 ? [folder] : upTo(mount.point, folder) }];
  });
}

/** @see proc_pid_mountinfo(5) */
function parseMount(line: string): Mount[] {
  const [before = "", after = ""] = line.split(" - ");
  const [, , , root = "/", point = ""] = before.split(" ");
  const [type, , options = ""] = after.split(" ");
  if (type === "cgroup2") return [{ root, point, version: 2, controllers: [] }];
  return type === "cgroup" ? [{ root, point, version: 1, controllers: options.split(",") }] : [];
}

/** @param controller `""` for the one hierarchy of version 2 */
function ownPath(ownGroups: string, controller: string): string {
  for (const line of ownGroups.split("\n")) {
    const [, controllers = "", ...path] = line.split(":");
    if (controller === "" ? line.startsWith("0:") : controllers.split(",").includes(controller))
      return path.join(":");
  }
  return "/";
}

/** A container sees a part of the tree: paths are told from the top, mounts begin at their root. */
function ownFolder(mount: Mount, path: string): string {
  const inside = relative(mount.root, path);
  return inside.startsWith("..") ? mount.point : join(mount.point, inside);
}

function upTo(top: string, folder: string): string[] {
  const folders = [folder];
  for (let at = folder; at !== top && at.startsWith(top); at = dirname(at)) folders.push(dirname(at));
  return folders;
}

/** @returns the controllers a version 2 folder offers, none when there is no such folder */
export function readControllers(folder: string): readonly string[] {
  try {
    return readFileSync(join(folder, "cgroup.controllers"), "utf8").trim().split(" ");
  } catch {
    return [];
  }
}

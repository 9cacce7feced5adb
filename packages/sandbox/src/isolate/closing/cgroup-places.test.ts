import assert from "node:assert/strict";
import { test } from "node:test";
import { findCgroupPlaces } from "./cgroup-places.ts";

test("version 1: each controller at this process's own group", () => {
  const mounts = [
    "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct",
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
  ].join("\n");
  const own = "4:memory:/user.slice\n3:cpu,cpuacct:/";
  assert.deepEqual(
    findCgroupPlaces(mounts, own, () => []),
    [
      { controller: "memory", version: 1, folders: ["/sys/fs/cgroup/memory/user.slice"] },
      { controller: "cpu", version: 1, folders: ["/sys/fs/cgroup/cpu,cpuacct"] },
    ],
  );
});

test("version 1 in a container: paths are told from the top of the machine, the mount begins lower", () => {
  const mounts = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory";
  const places = findCgroupPlaces(mounts, "4:memory:/docker/abc/own", () => []);
  assert.deepEqual(places[0]?.folders, ["/sys/fs/cgroup/memory/own"]);
});

test("version 2: from this process's own group up, as one with processes in it takes no groups", () => {
  const mounts = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw";
  const places = findCgroupPlaces(mounts, "0::/system.slice/sous.service", () => ["cpu", "memory", "pids"]);
  assert.deepEqual(
    places.map(({ controller }) => controller),
    ["memory", "cpu", "pids"],
  );
  assert.deepEqual(places[0], {
    controller: "memory",
    version: 2,
    folders: ["/sys/fs/cgroup/system.slice/sous.service", "/sys/fs/cgroup/system.slice", "/sys/fs/cgroup"],
  });
});

test("both versions mounted: a controller is where it is bound", () => {
  const mounts = [
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
  ].join("\n");
  const places = findCgroupPlaces(mounts, "4:memory:/\n0::/", () => ["hugetlb"]);
  assert.deepEqual(
    places.map(({ controller, version }) => `${controller} ${version}`),
    ["memory 1"],
  );
});

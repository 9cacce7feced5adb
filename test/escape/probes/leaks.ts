import { fstatSync } from "node:fs";
import type { EscapeProbe } from "../probe.ts";

const FDS_MAX = 256;
const NULL_DEVICE = 0x103;

/** What a host was given and still has: descriptors that are no standard of Node, environment, arguments. */
export const LEAK_PROBES: readonly EscapeProbe[] = [
  {
    name: "open files beside /dev/null, standard error, link and marker",
    run: () => {
      const found: string[] = [];
      for (let fd = 0; fd < FDS_MAX; fd++) {
        const kind = kindOf(fd);
        // libuv keeps one more of /dev/null in reserve.
        if (kind !== undefined && kind !== "null" && EXPECTED[fd]?.includes(kind) !== true)
          found.push(`${fd} ${kind}`);
      }
      return found.join(", ") || "none";
    },
    locked: ["none"],
  },
  {
    name: "the environment",
    run: () => Object.keys(process.env).join(","),
    // Where bubblewrap starts a program.
    locked: ["", "PWD"],
  },
  {
    name: "more open files than were left",
    run: ({ system }) => {
      const limit = Buffer.alloc(16);
      limit.writeBigUInt64LE(4096n, 0);
      limit.writeBigUInt64LE(4096n, 8);
      return system.call("prlimit64", 0, 7, limit, 0) === 0 ? "raised" : "refused";
    },
    locked: ["refused"],
  },
  {
    name: "more descriptors than the limit",
    run: ({ system }) => {
      let made = 0;
      while (made < FDS_MAX && system.call("eventfd2", 0, 0) >= 0) made++;
      return made < 64 ? "bounded" : `${made} made`;
    },
    locked: ["bounded"],
  },
];

const EXPECTED: Record<number, readonly string[]> = {
  2: ["socket", "pipe"],
  3: ["socket"],
  4: ["file"],
};

/** @returns what a descriptor is; nothing for those Node makes for itself: pipes, epoll, events */
function kindOf(fd: number): string | undefined {
  try {
    const stat = fstatSync(fd);
    if (stat.isSocket()) return "socket";
    if (stat.isFile()) return "file";
    if (stat.isDirectory()) return "folder";
    if (stat.isCharacterDevice()) return stat.rdev === NULL_DEVICE ? "null" : `device ${stat.rdev}`;
    return fd <= 4 && stat.isFIFO() ? "pipe" : undefined;
  } catch {
    return undefined;
  }
}

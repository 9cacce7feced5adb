import { pbkdf2 } from "node:crypto";
import { attempt, type EscapeProbe } from "../probe.ts";

const GiB = 1024 ** 3;
const THREADS = 400;
const BURN_MS = 1000;

/** Memory, threads and processor time, each beyond what a host has; only a control group or limit can hold them. */
export const RESOURCE_PROBES: readonly EscapeProbe[] = [
  {
    name: "four gigabytes of memory",
    run: () =>
      attempt(() => {
        const kept: Buffer[] = [];
        for (let i = 0; i < 16; i++) kept.push(Buffer.alloc(GiB / 4, 1));
        return `${kept.length} held`;
      }),
    locked: ["killed"],
    alone: true,
    needs: ["cgroup memory"],
  },
  {
    name: "hundreds of threads",
    run: async () => {
      const ffi = await import("node:ffi");
      const { functions } = ffi.dlopen(null, {
        pthread_create: { arguments: ["pointer", "pointer", "pointer", "u64"], return: "i32" },
        sleep: { arguments: ["u32"], return: "u32" },
      });
      const handle = ffi.getRawPointer(Buffer.alloc(8));
      let made = 0;
      while (made < THREADS && functions.pthread_create(handle, 0n, functions.sleep.pointer, 60n) === 0)
        made++;
      return made < THREADS ? "bounded" : `${made} made`;
    },
    locked: ["bounded"],
    alone: true,
    needs: ["cgroup pids", "own user", "user namespace"],
  },
  {
    name: "all processors",
    run: async () => {
      const begun = performance.now();
      const before = process.cpuUsage();
      while (performance.now() - begun < BURN_MS) {
        await Promise.all(
          Array.from(
            { length: 8 },
            () => new Promise((done) => pbkdf2("x", "y", 20_000, 64, "sha512", done)),
          ),
        );
      }
      const { user, system } = process.cpuUsage(before);
      const processors = (user + system) / 1000 / (performance.now() - begun);
      return processors <= 1.8 ? "bounded" : `${processors.toFixed(2)} processors`;
    },
    locked: ["bounded"],
    alone: true,
    needs: ["cgroup cpu"],
  },
];

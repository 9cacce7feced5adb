import { once } from "node:events";
import { completeBudgets } from "@sous/contract";
import { createFrameReader } from "../../../packages/sandbox/src/isolate/frame-reader.ts";
import { FrameWriter } from "../../../packages/sandbox/src/isolate/frame-writer.ts";
import { loadGuestBundle } from "../../../packages/sandbox/src/isolate/guest-bundle.ts";
import {
  type HostGroups,
  openHostGroups,
} from "../../../packages/sandbox/src/isolate/closing/host-groups.ts";
import { type Launcher, launchersFor } from "../../../packages/sandbox/src/isolate/closing/launchers.ts";
import { bundleHostProgram, HOST_PROGRAMS } from "../../../packages/sandbox/src/isolate/host-bundle.ts";
import {
  FROM_HOST,
  FROM_HOST_FRAME_BYTES_MAX,
  type HostGuest,
  type HostSetup,
  MARKER_BYTES,
  TO_HOST,
} from "../../../packages/sandbox/src/isolate/protocol.ts";
import { createPrivateFile } from "../../../packages/sandbox/src/isolate/spawner/private-file.ts";
import { readFrame } from "../../../packages/sandbox/src/isolate/read-frame.ts";
import { startHost } from "../../../packages/sandbox/src/isolate/spawner/start-host.ts";
import { mutateBytes, smallerBytes } from "../bytes.ts";
import type { FuzzTarget } from "../fuzz-target.ts";
import type { Random } from "../random.ts";

const MiB = 1024 * 1024;
const READY_MS = 10_000;
/** How long a host may go on with what it was given, and how long it may take to end with its link. */
const LISTEN_MS = 30;
const END_MS = 5000;
const DEADLINE_MS = 400;
const CODE = "export default async (event) => { await cs.kv.get('k').catch(() => 0); return event; };";

/** What comes over the link to a real host: it goes on or ends, never hangs, and never says what no host may say. */
export const HOST: FuzzTarget<Buffer> = {
  name: "host",
  async open() {
    const guest = await loadGuestBundle();
    const host = await bundleHostProgram(HOST_PROGRAMS.host);
    const jail = await bundleHostProgram(HOST_PROGRAMS.jail);
    // What is tried here is the protocol; how hosts are closed has a suite of its own.
    const [launcher] = launchersFor({ host, jail, without: ["bubblewrap", "self-jail"] });
    const groups = openHostGroups({ memoryBytes: 512 * MiB, cpus: 1, pids: 64 });
    const setup: HostSetup = {
      uid: null,
      parentPid: process.pid,
      threadsMax: null,
      lock: false,
      pairMemoryMb: 32,
      pairs: 1,
      idleTtlMs: 60_000,
    };
    return {
      generate: (random) => mutateBytes(sampleStream(random), random),
      run: (bytes) => feed({ launcher: launcher as Launcher, groups, setup, guest }, bytes),
      smaller: smallerBytes,
      show: (bytes) => bytes.toString("base64"),
      [Symbol.asyncDispose]: () => groups.close(),
    };
  },
};

interface Target {
  launcher: Launcher;
  groups: HostGroups;
  setup: HostSetup;
  guest: HostGuest;
}

async function feed({ launcher, groups, setup, guest }: Target, bytes: Buffer): Promise<string | undefined> {
  const group = await groups.create();
  using marker = createPrivateFile(new Uint8Array(MARKER_BYTES));
  const groupFiles = group.processFiles;
  const host = await startHost({ launcher, uid: null, markerPath: marker.path, groupFiles });
  const exited = once(host.process, "exit");
  host.process.stderr?.resume();
  host.link.on("error", () => {});
  let complaint: string | undefined;
  let ready: () => void = () => {};
  const isReady = new Promise<void>((resolve) => (ready = resolve));
  const reader = createFrameReader(FROM_HOST_FRAME_BYTES_MAX, (type, cursor) => {
    if (type === FROM_HOST.warm) return;
    readFrame(type, cursor, {
      onReady: () => ready(),
      onOutcome: () => {},
      onCall: () => {},
      onLog: () => {},
      onGone: () => {},
      onWarm: () => {},
      onExit: () => {},
    });
  });
  host.link.on("data", (chunk: Buffer) => {
    try {
      reader.push(chunk);
    } catch (error) {
      complaint ??= `it said what no host may say: ${String(error)}`;
    }
  });
  const writer = new FrameWriter(host.link);
  writer.begin(TO_HOST.setup).string(JSON.stringify(setup)).string(JSON.stringify(guest)).end();
  writer.flush();
  try {
    if (!(await within(isReady, READY_MS))) return "it was not ready in time";
    host.link.write(bytes);
    await within(exited, LISTEN_MS);
    host.link.destroy();
    // A deadline may have been changed, but what runs is ours and short.
    if (!(await within(exited, END_MS))) return "it did not end with its link";
    return complaint;
  } finally {
    host.process.kill("SIGKILL");
    group.remove();
  }
}

async function within(event: Promise<unknown>, timeMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), timeMs)));
  try {
    return await Promise.race([event.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Programs, starts, answers, cancels and evictions as an invoker sends them, in any order. */
function sampleStream(random: Random): Buffer {
  const frames: Buffer[] = [program(1)];
  for (let left = 1 + random.below(6); left > 0; left--) {
    const number = 1 + random.below(3);
    frames.push(random.pick([start, start, answer, cancel, evict, program])(number));
  }
  return Buffer.concat(frames);
}

const header = {
  key: "t_fuzz00/default/f@1",
  entry: "function.js",
  handler: "default",
  isolation: "warm",
  memoryMb: 32,
  maxConcurrency: 2,
  budgets: completeBudgets(32),
};
const program = (id: number): Buffer =>
  frame(TO_HOST.program, u32(id), text(JSON.stringify(header)), u32(1), text("function.js"), text(CODE));
const start = (number: number): Buffer =>
  frame(TO_HOST.start, u32(number), u32(1), f64(Date.now() + DEADLINE_MS), text("{}"), text("[1]"));
const answer = (number: number): Buffer =>
  frame(TO_HOST.answer, u32(number), u32(1), Buffer.from([1]), text("null"), text(""));
const cancel = (number: number): Buffer => frame(TO_HOST.cancel, u32(number));
const evict = (id: number): Buffer => frame(TO_HOST.evict, u32(id));

function frame(type: number, ...fields: Buffer[]): Buffer {
  const payload = Buffer.concat([Buffer.from([type]), ...fields]);
  return Buffer.concat([u32(payload.length), payload]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function f64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u32(bytes.length), bytes]);
}

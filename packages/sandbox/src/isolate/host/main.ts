import { randomFillSync } from "node:crypto";
import { Socket } from "node:net";
import { LIMITS } from "@sous/contract/limits";
import { type FrameCursor, createFrameReader } from "../frame-reader.ts";
import { FrameWriter } from "../frame-writer.ts";
import {
  FAILED_BUDGETS,
  FAILURES,
  type Failure,
  FROM_HOST,
  type GuestCaches,
  HOST_FDS,
  type HostGuest,
  type HostSetup,
  type ProgramHeader,
  TO_HOST,
  TO_HOST_FRAME_BYTES_MAX,
} from "../protocol.ts";
import { Activation } from "./activation.ts";
import { type ClosedHost, closeHost } from "./close-host.ts";
import { Engine } from "./engine.ts";
import { createMarker } from "./marker.ts";
import { GuestCode, Place, type PlaceEvents, type PlaceMaker } from "./place.ts";
import { createPlacePool } from "./place-pool.ts";
import { Program } from "./program.ts";
import { rehearse } from "./rehearse.ts";
import { createSharedIsolates } from "./shared-isolates.ts";
import { warmUp } from "./warm-up.ts";

const ANY_LENGTH = TO_HOST_FRAME_BYTES_MAX;
const IDLE_SWEEP_MS = 1000;
const WARM_UP_FRESH_MS = 20;
const WARM_UP_IDLE_MS = 2000;
const REHEARSE_MS = 150;
const CALL_BYTES_MAX = 1024 * 1024;
const CORE = "core";
const READ_BYTES = 64 * 1024;

const socket = new Socket({
  fd: HOST_FDS.link,
  readable: true,
  writable: true,
  // One buffer for all reads: a new one for each, of which most is never filled, costs as much as a small frame does.
  onread: {
    buffer: Buffer.allocUnsafeSlow(READ_BYTES),
    callback(bytes, buffer) {
      // Slices that one read brings end together: one write of the marker for all of them, and one of their answers.
      marker.cork();
      writer.cork();
      reader.push((buffer as Buffer).subarray(0, bytes));
      marker.uncork();
      writer.uncork();
      return true;
    },
  },
});
const writer = new FrameWriter(socket, HOST_FDS.link);
const marker = createMarker(HOST_FDS.marker);
const programs = new Map<number, Program>();
let engine: Engine | undefined;
let idleTtlMs = 60_000;

/** What user code does outside its place; every bound that holds across calls is kept here. */
const events: PlaceEvents = {
  reply(activation, statusCode, headersJson, body, base64, cookiesJson) {
    const { result_bytes: most } = activation.program.header.budgets;
    // No character takes more than three bytes: most bodies need no counting.
    if (body.length * 3 > most && Buffer.byteLength(body) > most) {
      activation.exceed("result_bytes", `the result's body takes more than ${most} bytes`, "ResultTooLarge");
      return;
    }
    activation.answer ??= { kind: "reply", statusCode, headersJson, body, base64, cookiesJson };
  },
  fail(activation, type, message, stack, named) {
    const known = FAILURES.includes(type as Failure) ? (type as Failure) : "Exception";
    const budget = FAILED_BUDGETS.find((one) => one === named) ?? "none";
    activation.answer ??= { kind: "fail", type: known, message, stack, budget };
  },
  call(activation, callId, operation, argumentsJson) {
    const { host_calls } = activation.program.header.budgets;
    if (++activation.totalCalls > host_calls) {
      activation.exceed("host_calls", `the function made more than its ${host_calls} host calls`);
      // Others wait in its isolate for what they asked for: it is told, and let until its time is up.
      if (activation.place?.hasCompany) throw new Error("no host call is left of its budget");
      // Ends the slice too: the code may go on calling for as long as it is let.
      activation.place?.endIsolate();
      return;
    }
    const tooMany = activation.openCalls >= LIMITS.hostCallsOpenMax;
    if (tooMany || argumentsJson.length > CALL_BYTES_MAX || operation.length > 32) {
      activation.violation = "too many or too large host calls";
      const message = `the function passed the bound of ${LIMITS.hostCallsOpenMax} host calls at once, 1 MiB each`;
      activation.answer ??= { kind: "fail", type: "Exception", message, stack: "", budget: "none" };
      return;
    }
    if (activation.openCalls++ === 0) activation.callsOpenedAt = performance.now();
    writer
      .begin(FROM_HOST.call)
      .u32(activation.number)
      .u32(callId)
      .string(operation)
      .string(argumentsJson)
      .end();
  },
  log(activation, level, text) {
    // One byte past the bound is sent, so that the other side can mark the log as cut.
    if (activation.logBytes > activation.program.header.budgets.log_bytes) return;
    const line = text.slice(0, LIMITS.logLineBytesMax);
    activation.logBytes += line.length + 1;
    writer.begin(FROM_HOST.log).u32(activation.number).u8(Math.min(level, 3)).string(line).end();
  },
  timer(activation, timerId, delayMs) {
    if (activation.timers.size >= activation.program.header.budgets.timers) return false;
    engine?.timer(activation, timerId, delayMs);
    return true;
  },
  clearTimer(activation, timerId) {
    const timer = activation.timers.get(timerId);
    if (timer === undefined) return;
    clearTimeout(timer);
    activation.timers.delete(timerId);
  },
};

function setup(cursor: FrameCursor): void {
  const options = JSON.parse(cursor.string(ANY_LENGTH)) as HostSetup;
  const guest = JSON.parse(cursor.string(ANY_LENGTH)) as HostGuest;
  idleTtlMs = options.idleTtlMs;
  const code = (name: string, source: string): GuestCode => {
    const cache = guest.caches?.[name];
    return new GuestCode(source, `sous:${name}`, cache === undefined ? cache : Buffer.from(cache, "base64"));
  };
  const parts = Object.entries(guest.parts).map(([name, source]) => [name, code(name, source)] as const);
  const maker: PlaceMaker = {
    core: code(CORE, guest.core),
    parts: new Map(parts),
    events,
    randomBytes: (length) => randomFillSync(Buffer.allocUnsafe(length)),
  };
  const lastWorkAt = (): number => engine?.lastWorkAt ?? 0;
  const memoryMb = options.pairMemoryMb;
  const pool = createPlacePool((size) => new Place(maker, size), {
    memoryMb,
    size: options.pairs,
    lastWorkAt,
  });
  const shared = createSharedIsolates(maker);
  const sharedPool = createPlacePool(shared.make, {
    size: Math.min(1, options.pairs),
    accepts: shared.hasRoom,
    lastWorkAt,
  });
  engine = new Engine({
    writer,
    marker,
    pool,
    sharedPool,
    onWarm: (program, warm) =>
      writer
        .begin(FROM_HOST.warm)
        .u32(program.id)
        .u8(warm ? 1 : 0)
        .end(),
  });
  const closed: ClosedHost = closeHost(options, () => pool.fill());
  writer.begin(FROM_HOST.ready).string(JSON.stringify(closed)).end();
  if (guest.caches === undefined) warmUpWhenIdle(maker);
  // A host that is needed at once is not kept from its work.
  setTimeout(() => {
    if (engine?.lastWorkAt === 0) rehearse(maker, marker);
  }, REHEARSE_MS);
}

/**
 * Warming up blocks for some ten milliseconds: a host that has had no work does it soon, one that has waits
 * for a longer pause. Work never waits for it knowingly.
 */
function warmUpWhenIdle(maker: PlaceMaker, delayMs = WARM_UP_FRESH_MS): void {
  setTimeout(() => {
    const workedAt = engine?.lastWorkAt ?? 0;
    const paused = workedAt === 0 || performance.now() - workedAt >= WARM_UP_IDLE_MS;
    if (!paused) {
      warmUpWhenIdle(maker, WARM_UP_IDLE_MS);
      return;
    }
    warmUp(maker);
    if (programs.size === 0) tellCaches(maker);
  }, delayMs);
}

/** Hosts that are started later need not warm up again. */
function tellCaches({ core, parts }: PlaceMaker): void {
  const caches: GuestCaches = {};
  for (const [name, { cache }] of [[CORE, core] as const, ...parts]) {
    if (cache !== undefined) caches[name] = Buffer.from(cache).toString("base64");
  }
  writer.begin(FROM_HOST.caches).string(JSON.stringify(caches)).end();
}

function takeProgram(cursor: FrameCursor): void {
  const id = cursor.u32();
  const header = JSON.parse(cursor.string(ANY_LENGTH)) as ProgramHeader;
  const files = new Map<string, string>();
  for (let left = cursor.u32(); left > 0; left--) {
    const path = cursor.string(ANY_LENGTH);
    files.set(path, cursor.string(ANY_LENGTH));
  }
  programs.set(id, new Program(id, header, files));
}

function start(cursor: FrameCursor): void {
  const number = cursor.u32();
  const program = programs.get(cursor.u32());
  const deadlineMs = cursor.f64();
  const contextJson = cursor.string(ANY_LENGTH);
  const eventJson = cursor.string(ANY_LENGTH);
  if (program === undefined) writer.begin(FROM_HOST.gone).u32(number).end();
  else engine?.start(new Activation(number, program, deadlineMs, contextJson, eventJson));
}

function takeContext(cursor: FrameCursor): void {
  const program = programs.get(cursor.u32());
  if (program !== undefined) program.sharedContextJson = cursor.string(ANY_LENGTH);
}

function answer(cursor: FrameCursor): void {
  const number = cursor.u32();
  const callId = cursor.u32();
  const ok = cursor.u8() === 1;
  const payload = cursor.string(ANY_LENGTH);
  engine?.settle(number, callId, ok, payload, cursor.string(ANY_LENGTH));
}

function evict(cursor: FrameCursor): void {
  const id = cursor.u32();
  const program = programs.get(id);
  if (program === undefined) return;
  program.evicted = true;
  programs.delete(id);
  engine?.evict(program);
}

const handlers = new Map<number, (cursor: FrameCursor) => void>([
  [TO_HOST.setup, setup],
  [TO_HOST.program, takeProgram],
  [TO_HOST.start, start],
  [TO_HOST.answer, answer],
  [TO_HOST.cancel, (cursor) => engine?.cancel(cursor.u32())],
  [TO_HOST.evict, evict],
  [TO_HOST.context, takeContext],
]);

const reader = createFrameReader(TO_HOST_FRAME_BYTES_MAX, (type, cursor) => handlers.get(type)?.(cursor));
socket.resume();
// The invoker is gone: there is nobody to work for. A closed host may not signal, not even itself.
socket.on("close", () => process.exit(1));
socket.on("error", () => process.exit(1));

setInterval(() => {
  const old = performance.now() - idleTtlMs;
  for (const program of programs.values()) {
    if (program.idle.some((place) => place.lastUsedMs < old)) engine?.reap(program, old);
  }
}, IDLE_SWEEP_MS);

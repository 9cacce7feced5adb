import { openSync } from "node:fs";
import { devNull } from "node:os";
import { Duplex } from "node:stream";
import { completeBudgets, createParser, FunctionError, FunctionResult } from "@sous/contract";
import { FrameWriter } from "../../../packages/sandbox/src/isolate/frame-writer.ts";
import type { HostGroup } from "../../../packages/sandbox/src/isolate/closing/host-groups.ts";
import { HostMechanism } from "../../../packages/sandbox/src/isolate/host-sandbox.ts";
import type { HostEnd } from "../../../packages/sandbox/src/isolate/spawner/follow-end.ts";
import { FROM_HOST } from "../../../packages/sandbox/src/isolate/protocol.ts";
import type { SandboxOutcome } from "../../../packages/sandbox/src/sandbox.ts";
import { SupervisedSandbox } from "../../../packages/sandbox/src/supervise.ts";
import { mutateBytes, smallerBytes } from "../bytes.ts";
import type { FuzzTarget } from "../fuzz-target.ts";
import type { Random } from "../random.ts";

const ACTIVATIONS = 3;
const HOST_CALLS_MAX = 20;
const result = createParser(FunctionResult, "the result");
const failure = createParser(FunctionError, "the error");
const STATUSES = new Set(["success", "error", "timeout", "cancelled"]);

/** The far end of the link: what is written goes nowhere, what is pushed is what a host says. */
class HostileLink extends Duplex {
  override _read(): void {}
  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done();
  }
}

/** Of no process there can be: never 0, which means every process of our own group. */
const NO_PID = 2 ** 30;

const NO_GROUP: HostGroup = {
  processFiles: [],
  limitMemory() {},
  limitCpu() {},
  outOfMemory: () => false,
  remove() {},
};

/** What a taken-over host may say to the invoker: whatever it is, each activation has one sound outcome. */
export const FRAMES: FuzzTarget<Buffer> = {
  name: "frames",
  async open() {
    const samples = await sampleStreams();
    return {
      generate: (random) =>
        random.chance(0.05) ? random.bytes(400) : mutateBytes(mixed(samples, random), random),
      run: feed,
      smaller: smallerBytes,
      show: (bytes) => bytes.toString("base64"),
      async [Symbol.asyncDispose]() {},
    };
  },
};

const mixed = (samples: readonly Buffer[], random: Random): Buffer =>
  Buffer.concat(Array.from({ length: 1 + random.below(4) }, () => random.pick(samples)));

async function feed(bytes: Buffer): Promise<string | undefined> {
  const link = new HostileLink();
  const ended = Promise.withResolvers<HostEnd>();
  const started = {
    pid: NO_PID,
    link,
    markerFd: emptyMarker(),
    group: NO_GROUP,
    // As much of a process as its owner uses: it ends when it is killed.
    kill: () => void setImmediate(() => ended.resolve({ code: null, signal: "SIGKILL", detail: "" })),
    onEnd: (listener: (end: HostEnd) => void) => void ended.promise.then(listener),
  };
  const mechanism = new HostMechanism(started, 0);
  const sandbox = new SupervisedSandbox(mechanism, {
    id: "fuzz",
    tenant: "t_fuzz00",
    memoryBytesMax: 2 ** 30,
  });
  const outcomes: SandboxOutcome[][] = [];
  const complaints: string[] = [];
  let calls = 0;
  for (let number = 0; number < ACTIVATIONS; number++) {
    const seen: SandboxOutcome[] = [];
    outcomes.push(seen);
    sandbox.start(
      {
        activationId: `a${number}`,
        program: {
          key: "t_fuzz00/default/f@1",
          sha256: "",
          files: new Map(),
          entry: "function.js",
          handler: "default",
          isolation: "warm",
          memoryMb: 64,
          maxConcurrency: 4,
          capabilities: {
            kv: { prefixes: [], ops: [] },
            codeq: { publish_topics: [] },
            http: { allow_hosts: [], timeout_ms: 1 },
          },
          budgets: { ...completeBudgets(64), host_calls: HOST_CALLS_MAX },
        },
        contextJson: "{}",
        sharedContextJson: "{}",
        eventJson: "null",
        deadlineMs: Date.now() + 60_000,
      },
      {
        onHostCall(call, answer) {
          calls++;
          if (seen.length > 0) complaints.push("a call after the end");
          if (typeof call.operation !== "string" || call.operation.length > 64) complaints.push("operation");
          answer({ ok: true, json: "null" });
        },
        onLog(level, text) {
          if (!["debug", "info", "warn", "error"].includes(level)) complaints.push(`level ${level}`);
          if (text.length > 256 * 1024) complaints.push("a log line without bound");
        },
        onOutcome: (outcome) => void seen.push(outcome),
      },
    );
  }
  // In two pieces: the reader must not care where the stream is cut.
  link.push(bytes.subarray(0, bytes.length >> 1));
  link.push(bytes.subarray(bytes.length >> 1));
  await new Promise((resolve) => setImmediate(resolve));
  await sandbox[Symbol.asyncDispose]();
  if (calls > ACTIVATIONS * HOST_CALLS_MAX) complaints.push(`${calls} host calls`);
  for (const seen of outcomes) complaints.push(...problemsOf(seen));
  return complaints[0];
}

function problemsOf(seen: readonly SandboxOutcome[]): string[] {
  const [outcome] = seen;
  if (outcome === undefined || seen.length !== 1) return [`${seen.length} outcomes`];
  const problems: string[] = [];
  if (!STATUSES.has(outcome.status)) problems.push(`status ${outcome.status}`);
  if ((outcome.status === "success") !== (outcome.result !== undefined))
    problems.push("success without result");
  if ((outcome.status === "success") === (outcome.error !== undefined))
    problems.push("failure without error");
  if (outcome.result !== undefined && !result.check(outcome.result)) problems.push("a result of no shape");
  if (outcome.error !== undefined) {
    const { message, stack, ...rest } = outcome.error;
    // Texts are bounded by bytes on the way in, by characters in the record.
    const cut = { ...rest, message: message.slice(0, 65_536), ...(stack && { stack: stack.slice(0, 8192) }) };
    if (!failure.check(cut)) problems.push(`an error of no shape: ${JSON.stringify(rest)}`);
  }
  const { timings, cpuMs, memoryPeakBytes, externalMemoryBytes, timersPeak } = outcome;
  for (const number of [...Object.values(timings), cpuMs, memoryPeakBytes, externalMemoryBytes, timersPeak]) {
    if (!(Number.isFinite(number) && number >= 0)) problems.push(`a measure of ${number}`);
  }
  return problems;
}

/** A marker nobody writes; the mechanism closes it. */
const emptyMarker = (): number => openSync(devNull, "r");

/** What an honest host sends, a stream each. */
async function sampleStreams(): Promise<Buffer[]> {
  const streams: Buffer[] = [];
  const add = (write: (writer: FrameWriter) => void): void => {
    const chunks: Buffer[] = [];
    const link = new HostileLink();
    link._write = (chunk: Buffer, _encoding, done): void => {
      chunks.push(Buffer.from(chunk));
      done();
    };
    const writer = new FrameWriter(link);
    write(writer);
    writer.flush();
    streams.push(Buffer.concat(chunks));
  };
  const facts = (writer: FrameWriter, type: number, number: number): FrameWriter => {
    writer.begin(type).u32(number).u8(1);
    for (let measure = 0; measure < 8; measure++) writer.f64(measure / 2);
    return writer.u32(3);
  };
  for (let number = 1; number <= ACTIVATIONS; number++) {
    add((writer) =>
      facts(writer, FROM_HOST.reply, number)
        .u32(200)
        .u8(0)
        .string('{"content-type":"text/plain"}')
        .string(number === 1 ? "" : '["a=1","b=2"]')
        .string("ok")
        .end(),
    );
    add((writer) => facts(writer, FROM_HOST.fail, number).u8(0).u8(0).string("no").string("at f.js:1").end());
    add((writer) => facts(writer, FROM_HOST.fail, number).u8(7).u8(1).string("cpu").string("").end());
    add((writer) => writer.begin(FROM_HOST.call).u32(number).u32(1).string("kv.get").string('["a"]').end());
    add((writer) => writer.begin(FROM_HOST.log).u32(number).u8(1).string("hello ü").end());
    add((writer) => writer.begin(FROM_HOST.gone).u32(number).end());
  }
  add((writer) => writer.begin(FROM_HOST.warm).u32(1).u8(1).end());
  add((writer) => writer.begin(FROM_HOST.caches).string('{"core":"AAAA"}').end());
  add((writer) => writer.begin(FROM_HOST.ready).string('{"pid":1}').end());
  return streams;
}

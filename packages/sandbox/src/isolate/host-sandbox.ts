import { closeSync, readSync } from "node:fs";
import type { Duplex } from "node:stream";
import type { HostAnswer, SandboxProgram, SandboxTask } from "../sandbox.ts";
import type { MechanismExit, MechanismListener, SandboxMechanism, SliceHolder } from "../mechanism.ts";
import type { HostGroup } from "./closing/host-groups.ts";
import { createFrameReader } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";
import {
  FROM_HOST,
  FROM_HOST_FRAME_BYTES_MAX,
  type GuestCaches,
  type HostSetup,
  MARKER_BYTES,
  type ProgramHeader,
  TO_HOST,
} from "./protocol.ts";
import { readCaches } from "./read-caches.ts";
import { readFrame } from "./read-frame.ts";
import type { HostEnd } from "./spawner/follow-end.ts";

/** With no more activations under way in all hosts a frame leaves at the end of its tick. */
const PROMPT_MAX = 4;
/** Activations under way in all hosts of this process. */
let openInAll = 0;

/** A host process that has just been started, before it is known to be ready. */
export interface StartedHost {
  pid: number;
  link: Duplex;
  /** Open for reading; the mechanism closes it. */
  markerFd: number;
  group: HostGroup;
  /** Ends it at once, if it is still there. */
  kill(): void;
  /** @param listener hears once how it ended, at once where it has */
  onEnd(listener: (end: HostEnd) => void): void;
}

/** A program the host has. */
interface SentProgram {
  id: number;
  /** What the host was told last for it. */
  sharedContextJson: string | undefined;
  /** Whether it has places there, as the host told last. */
  warm: boolean;
}

/** The isolate driver's mechanism: one host process behind its link. Deadlines and blame are the supervisor's. */
export class HostMechanism implements SandboxMechanism {
  readonly pid: number;
  /** Hears of the compiled guest of a host in which nothing but our own code has run. */
  onCaches: ((caches: GuestCaches) => void) | undefined;
  readonly #host: StartedHost;
  readonly #link: Duplex;
  readonly #writer: FrameWriter;
  readonly #markerFd: number;
  readonly #group: HostGroup;
  readonly #groupSlackBytes: number;
  readonly #marker = new Uint32Array(MARKER_BYTES / 4);
  readonly #markerBytes = new Uint8Array(this.#marker.buffer);
  readonly #programs = new Map<string, SentProgram>();
  readonly #programKeys = new Map<number, string>();
  #lastProgramId = 0;
  /** Activations under way. */
  #open = 0;
  #listener: MechanismListener | undefined;
  /** What it said that no host may say. */
  #violation = "";
  #exited: MechanismExit | undefined;

  /** @param groupSlackBytes what the host's control group may hold beyond the memory the supervisor allows */
  constructor(host: StartedHost, groupSlackBytes: number) {
    this.#host = host;
    this.#link = host.link;
    this.#markerFd = host.markerFd;
    this.#writer = new FrameWriter(host.link);
    this.#group = host.group;
    this.#groupSlackBytes = groupSlackBytes;
    this.pid = host.pid;
    this.#receive();
    host.onEnd((end) => this.#end(end));
  }

  get alive(): boolean {
    return this.#exited === undefined;
  }

  listen(listener: MechanismListener): void {
    this.#listener = listener;
    if (this.#exited !== undefined) listener.onExit(this.#exited);
  }

  /** @param guestJson what all hosts are given alike, in UTF-8 */
  setup(setup: HostSetup, guestJson: Uint8Array): void {
    this.#writer.begin(TO_HOST.setup).string(JSON.stringify(setup)).encoded(guestJson).end();
  }

  start(number: number, task: SandboxTask): void {
    this.#open++;
    // Whoever is busy gathers what a turn of its loop has for a host: one that is woken for several is woken less often.
    this.#writer.patient = ++openInAll > PROMPT_MAX;
    const program = this.#programs.get(task.program.key) ?? this.#send(task.program);
    if (program.sharedContextJson !== task.sharedContextJson) {
      program.sharedContextJson = task.sharedContextJson;
      this.#writer.begin(TO_HOST.context).u32(program.id).string(task.sharedContextJson).end();
    }
    this.#writer
      .begin(TO_HOST.start)
      .u32(number)
      .u32(program.id)
      .f64(task.deadlineMs)
      .string(task.contextJson)
      .string(task.eventJson)
      .end();
  }

  answer(number: number, callId: number, answer: HostAnswer): void {
    const writer = this.#writer.begin(TO_HOST.answer).u32(number).u32(callId);
    if (answer.ok) writer.u8(1).string(answer.json).string("").end();
    else writer.u8(0).string(answer.message).string(answer.code).end();
  }

  cancel(number: number): void {
    this.#writer.begin(TO_HOST.cancel).u32(number).end();
  }

  evict(programKey: string): void {
    const program = this.#programs.get(programKey);
    if (program === undefined) return;
    this.#programs.delete(programKey);
    // Of a warm one the host tells when it no longer is.
    if (!program.warm) this.#programKeys.delete(program.id);
    this.#writer.begin(TO_HOST.evict).u32(program.id).end();
  }

  holder(): SliceHolder {
    try {
      if (this.#exited === undefined) readSync(this.#markerFd, this.#markerBytes, 0, MARKER_BYTES, 0);
    } catch {
      // The file is gone with the host; what was read last stands.
    }
    const [activation = 0, slice = 0, highestStarted = 0] = this.#marker;
    return { activation, slice, highestStarted };
  }

  growMemory(bytes: number): void {
    this.#group.limitMemory(bytes + this.#groupSlackBytes);
  }

  kill(): void {
    this.#writer.close();
    if (this.#exited === undefined) this.#host.kill();
  }

  #send(program: SandboxProgram): SentProgram {
    const id = ++this.#lastProgramId;
    const sent: SentProgram = { id, sharedContextJson: undefined, warm: false };
    this.#programs.set(program.key, sent);
    this.#programKeys.set(id, program.key);
    const { key, entry, handler, isolation, memoryMb, maxConcurrency, budgets } = program;
    const header: ProgramHeader = {
      key,
      entry,
      handler,
      isolation,
      memoryMb,
      maxConcurrency,
      budgets,
    };
    const writer = this.#writer.begin(TO_HOST.program).u32(id).string(JSON.stringify(header));
    writer.u32(program.files.size);
    for (const [path, text] of program.files) writer.string(path).string(text);
    writer.end();
    return sent;
  }

  #receive(): void {
    const reader = createFrameReader(FROM_HOST_FRAME_BYTES_MAX, (type, cursor) => {
      const listener = this.#listener;
      if (listener === undefined) return;
      if (type === FROM_HOST.caches) {
        const caches = readCaches(cursor);
        if (this.#lastProgramId === 0) this.onCaches?.(caches);
        return;
      }
      if (type === FROM_HOST.warm) {
        const id = cursor.u32();
        const key = this.#programKeys.get(id);
        const warm = cursor.u8() === 1;
        cursor.done();
        if (key === undefined) return;
        const present = this.#programs.get(key);
        if (present?.id === id) present.warm = warm;
        else if (!warm) this.#programKeys.delete(id);
        // One that was evicted may be there again under another number, and that counts.
        if (present === undefined || present.id === id) listener.onWarm(key, warm);
        return;
      }
      // Only how frames are gathered depends on this count: it need not be right for a host that lies, nor for an end told twice.
      if (type !== FROM_HOST.call && type !== FROM_HOST.log && this.#open > 0) {
        this.#open--;
        openInAll--;
      }
      readFrame(type, cursor, listener);
    });
    const broken = (error: Error): void => {
      this.#violation = `\nprotocol: ${error.message}`;
      this.kill();
    };
    this.#link.on("data", (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        broken(error instanceof Error ? error : new Error(String(error)));
      }
    });
    this.#link.on("error", () => this.kill());
  }

  #end({ code, signal, detail: said }: HostEnd): void {
    if (this.#exited !== undefined) return;
    this.holder();
    const detail = `${said}${this.#violation}`.trim();
    // Of a host whose parent is gone nobody knows how it ended.
    const isKnown = code !== null || signal !== null;
    const outOfMemory =
      this.#group.outOfMemory() ||
      (isKnown && /out of memory|allocation failed|heap limit|invalid size error/i.test(detail));
    this.#exited = { code, signal, detail, outOfMemory };
    openInAll -= this.#open;
    this.#open = 0;
    closeSync(this.#markerFd);
    this.#group.remove();
    this.#writer.close();
    this.#link.destroy();
    this.#listener?.onExit(this.#exited);
  }
}

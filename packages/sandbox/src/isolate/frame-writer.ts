import { writeSync } from "node:fs";
import type { Writable } from "node:stream";

const HEADER_BYTES = 5;
const ARENA_BYTES = 64 * 1024;
/** Frames that a patient writer keeps at most: with these the other side begins while more are written. */
const PATIENT_FRAMES_MAX = 8;

/**
 * Writes length-prefixed frames into one buffer and sends it at the end of the tick, of the turn or of the cork.
 *
 * A frame is `u32 length, u8 type, payload`; the length counts type and payload. Numbers are little-endian,
 * strings are `u32 bytes` and UTF-8. One write for many frames instead of one each halves the cost of a call.
 */
export class FrameWriter {
  /**
   * Whether frames wait for what other sockets bring in the same turn of the loop, until there are some: one write then
   * wakes the other side for all of them. Where little is under way the first to come should not wait.
   */
  patient = false;
  readonly #stream: Writable;
  readonly #fd: number | undefined;
  #arena = Buffer.allocUnsafeSlow(ARENA_BYTES);
  #end = 0;
  #frameStart = 0;
  #frames = 0;
  #scheduled = false;
  #corked = false;
  #closed = false;

  /**
   * @param fd the non-blocking file of the stream, where it is known: frames then go to it directly while the stream has
   * nothing to write, which saves most of what a write of a stream costs
   */
  constructor(stream: Writable, fd?: number) {
    this.#stream = stream;
    this.#fd = fd;
  }

  /** Whether frames wait for the end of the tick. */
  get pending(): boolean {
    return this.#end > 0;
  }

  begin(type: number): this {
    this.#reserve(HEADER_BYTES);
    this.#frameStart = this.#end;
    this.#arena[this.#end + 4] = type;
    this.#end += HEADER_BYTES;
    return this;
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#arena[this.#end++] = value;
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#arena.writeUInt32LE(value, this.#end);
    this.#end += 4;
    return this;
  }

  f64(value: number): this {
    this.#reserve(8);
    this.#arena.writeDoubleLE(value, this.#end);
    this.#end += 8;
    return this;
  }

  string(text: string): this {
    // UTF-8 needs at most three bytes a UTF-16 code unit; reserving the worst case saves a counting pass.
    this.#reserve(4 + text.length * 3);
    const bytes = text.length === 0 ? 0 : this.#arena.write(text, this.#end + 4, "utf8");
    this.#arena.writeUInt32LE(bytes, this.#end);
    this.#end += 4 + bytes;
    return this;
  }

  /** @param utf8 a text that is written often, as `string` would write it */
  encoded(utf8: Uint8Array): this {
    this.#reserve(4 + utf8.length);
    this.#arena.writeUInt32LE(utf8.length, this.#end);
    this.#arena.set(utf8, this.#end + 4);
    this.#end += 4 + utf8.length;
    return this;
  }

  /** Ends the frame and sees to it that it leaves at the end of this tick, or of this turn of the loop. */
  end(): void {
    this.#arena.writeUInt32LE(this.#end - this.#frameStart - 4, this.#frameStart);
    if (this.#corked) return;
    if (this.patient && ++this.#frames >= PATIENT_FRAMES_MAX) {
      this.flush();
      return;
    }
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (this.patient) setImmediate(flushWriter, this);
    else process.nextTick(flushWriter, this);
  }

  /** Keeps frames until `uncork`, which sends them: for a run of work that is known to end within the tick. */
  cork(): void {
    this.#corked = true;
  }

  uncork(): void {
    this.#corked = false;
    this.flush();
  }

  /** Hands everything written so far to the stream now. */
  flush(): void {
    this.#scheduled = false;
    this.#frames = 0;
    if (this.#end === 0) return;
    const bytes = this.#end;
    this.#end = 0;
    if (this.#closed) return;
    const written = this.#writeDirectly(bytes);
    if (written < bytes) this.#stream.write(this.#arena.subarray(written, bytes));
    // Written through at once, the arena is free again; otherwise the stream keeps it until it drains.
    if (this.#stream.writableLength > 0 || this.#arena.length > ARENA_BYTES * 16) {
      this.#arena = Buffer.allocUnsafeSlow(ARENA_BYTES);
    }
  }

  /** Drops everything from now on. */
  close(): void {
    this.#closed = true;
  }

  /** @returns how many bytes the file took; what is wrong with it the stream finds out */
  #writeDirectly(bytes: number): number {
    if (this.#fd === undefined || this.#stream.writableLength > 0) return 0;
    try {
      return writeSync(this.#fd, this.#arena, 0, bytes);
    } catch {
      return 0;
    }
  }

  #reserve(bytes: number): void {
    const needed = this.#end + bytes;
    if (needed <= this.#arena.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#arena.length * 2));
    this.#arena.copy(grown, 0, 0, this.#end);
    this.#arena = grown;
  }
}

function flushWriter(writer: FrameWriter): void {
  writer.flush();
}

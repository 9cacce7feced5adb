/** A frame broke the protocol; whoever sent it is not to be trusted any more. */
export class FrameError extends Error {
  override name = "FrameError";
}

/** Reads the fields of one frame in order. Every read is checked against the frame's end. */
export class FrameCursor {
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;

  reset(buffer: Buffer, start: number, end: number): this {
    this.#buffer = buffer;
    this.#at = start;
    this.#end = end;
    return this;
  }

  u8(): number {
    const at = this.#take(1);
    return this.#buffer[at] ?? 0;
  }

  u32(): number {
    return this.#buffer.readUInt32LE(this.#take(4));
  }

  f64(): number {
    const value = this.#buffer.readDoubleLE(this.#take(8));
    if (!Number.isFinite(value)) throw new FrameError("number is not finite");
    return value;
  }

  string(bytesMax: number): string {
    const bytes = this.u32();
    if (bytes > bytesMax) throw new FrameError(`string of ${bytes} bytes, at most ${bytesMax}`);
    const at = this.#take(bytes);
    return bytes === 0 ? "" : this.#buffer.toString("utf8", at, at + bytes);
  }

  /** Checks that the frame has no more fields. */
  done(): void {
    if (this.#at !== this.#end) throw new FrameError(`${this.#end - this.#at} bytes too many`);
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#end) throw new FrameError("frame is too short");
    this.#at = at + bytes;
    return at;
  }
}

export interface FrameReader {
  /** Takes the next chunk of the stream, which is the caller's again afterwards. @throws FrameError when the protocol is broken */
  push(chunk: Buffer): void;
}

/**
 * Cuts a byte stream into frames.
 * @param frameBytesMax the largest frame that is accepted
 * @param onFrame gets the type and a cursor over the payload; the cursor is valid only during the call
 */
export function createFrameReader(
  frameBytesMax: number,
  onFrame: (type: number, cursor: FrameCursor) => void,
): FrameReader {
  const cursor = new FrameCursor();
  let parts: Buffer[] = [];
  let have = 0;
  let need = 4;

  /** Handles every whole frame at the front; returns what is left. */
  function consume(buffer: Buffer): Buffer {
    let at = 0;
    while (buffer.length - at >= 4) {
      const length = buffer.readUInt32LE(at);
      if (length < 1 || length > frameBytesMax) throw new FrameError(`frame of ${length} bytes`);
      const end = at + 4 + length;
      if (end > buffer.length) {
        need = end - at;
        return buffer.subarray(at);
      }
      onFrame(buffer[at + 4] ?? 0, cursor.reset(buffer, at + 5, end));
      at = end;
    }
    need = 4;
    return buffer.subarray(at);
  }

  return {
    push(chunk) {
      if (have === 0) {
        const rest = consume(chunk);
        parts = rest.length > 0 ? [Buffer.from(rest)] : [];
        have = rest.length;
        return;
      }
      // A large frame arrives in many chunks: they are joined once it is whole, not at each chunk.
      parts.push(Buffer.from(chunk));
      have += chunk.length;
      if (have < need) return;
      const rest = consume(Buffer.concat(parts, have));
      parts = rest.length > 0 ? [rest] : [];
      have = rest.length;
    },
  };
}

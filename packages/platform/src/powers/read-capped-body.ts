import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { PlatformError } from "@sous/contract";

export interface CappedBodyOptions {
  /** Whether the bytes are gzip and have to be undone. */
  gzip: boolean;
  /** Most bytes, counted as they arrive and again when decoded. */
  bytesMax: number;
  /** Hears of every piece that arrives, in bytes. */
  onBytes(bytes: number): void;
}

/**
 * Reads a body to its end, never holding more than allowed; a small body that swells on decoding is cut off as well.
 * @throws CS_PAYLOAD_TOO_LARGE, or what the stream fails with; the stream is destroyed then
 */
export async function readCappedBody(body: Readable, options: CappedBodyOptions): Promise<Buffer> {
  const { gzip, bytesMax, onBytes } = options;
  const pieces: Buffer[] = [];
  let arrived = 0;
  let kept = 0;
  async function* count(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of source) {
      onBytes(piece.length);
      arrived += piece.length;
      if (arrived > bytesMax) throw tooLarge(bytesMax);
      yield piece;
    }
  }
  async function collect(source: AsyncIterable<Buffer>): Promise<void> {
    for await (const piece of source) {
      kept += piece.length;
      if (kept > bytesMax) throw tooLarge(bytesMax);
      pieces.push(piece);
    }
  }
  if (gzip) await pipeline(body, count, createGunzip(), collect);
  else await pipeline(body, count, collect);
  return Buffer.concat(pieces, kept);
}

const tooLarge = (bytesMax: number): PlatformError =>
  new PlatformError("CS_PAYLOAD_TOO_LARGE", `cs.http.fetch: the answer is over ${bytesMax} bytes`);

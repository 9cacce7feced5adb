import { PlatformError } from "@sous/contract";
import type { DirectRequest } from "./direct-request.ts";

const EMPTY = Buffer.alloc(0);
/** Small pieces are gathered in blocks of so much, or twice what has come: by itself each takes more than what is in it. */
const BLOCK_BYTES = 16 * 1024;

/** What bodies that are on their way take of a process's memory, whoever reads them. */
export interface BodyRoom {
  /** Of all bodies that are on their way at once: past it a caller gets CS_RATE_LIMITED. */
  readonly bytesMax: number;
  /** Bytes that are held now. */
  held: number;
}

export const createBodyRoom = (bytesMax: number): BodyRoom => ({ bytesMax, held: 0 });

export interface BodyLimits {
  /** Of one body: past it the rest is not read and the caller gets CS_PAYLOAD_TOO_LARGE. */
  bytesMax: number;
  room: BodyRoom;
}

/** Reads a request's body whole. One of `done` and `fail` is called, once. */
export type ReadBody = (
  request: DirectRequest,
  done: (body: Buffer) => void,
  fail: (error: PlatformError) => void,
) => void;

/**
 * Makes a reader that counts bytes as they come in: what headers claim is not believed, and many slow senders
 * together hold no more than there is room for. A body that comes in one piece is not counted: it is here already.
 */
export function createBodyReader({ bytesMax, room }: BodyLimits): ReadBody {
  return function readBody(request, done, fail) {
    let first: Buffer | undefined;
    let rest: Buffer[] | undefined;
    let block: Buffer | undefined;
    let blockBytes = 0;
    let bytes = 0;
    let settled = false;

    function settle(): void {
      settled = true;
      if (rest !== undefined) room.held -= bytes;
    }

    function refuse(error: PlatformError): void {
      settle();
      first = undefined;
      rest = undefined;
      block = undefined;
      fail(error);
    }

    function closeBlock(pieces: Buffer[]): void {
      const used = block?.subarray(0, blockBytes);
      // One that is mostly empty must not hold what nobody counts.
      if (used !== undefined) pieces.push(blockBytes * 2 < (block?.length ?? 0) ? Buffer.from(used) : used);
      block = undefined;
      blockBytes = 0;
    }

    function append(pieces: Buffer[], chunk: Buffer): void {
      if (blockBytes + chunk.length > (block?.length ?? BLOCK_BYTES)) closeBlock(pieces);
      if (chunk.length > BLOCK_BYTES / 4) {
        closeBlock(pieces);
        pieces.push(chunk);
        return;
      }
      block ??= Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, Math.max(chunk.length, 2 * bytes)));
      chunk.copy(block, blockBytes);
      blockBytes += chunk.length;
    }

    function take(chunk: Buffer): void {
      if (first === undefined) {
        first = chunk;
        bytes = chunk.length;
      } else {
        if (rest === undefined) {
          rest = [first];
          room.held += bytes;
        }
        append(rest, chunk);
        bytes += chunk.length;
        room.held += chunk.length;
      }
      if (bytes > bytesMax) {
        refuse(new PlatformError("CS_PAYLOAD_TOO_LARGE", `the body holds more than ${bytesMax} bytes`));
      } else if (room.held > room.bytesMax && rest !== undefined) {
        const message = "too many large bodies are on their way at once";
        refuse(new PlatformError("CS_RATE_LIMITED", message, { retryAfterSeconds: 1 }));
      }
    }

    request.receive(
      (chunk) => {
        // What is left of a refused body is read and dropped, so that the refusal arrives.
        if (settled) return;
        if (chunk !== null) {
          take(chunk);
          return;
        }
        settle();
        if (rest !== undefined) closeBlock(rest);
        done(rest === undefined ? (first ?? EMPTY) : Buffer.concat(rest, bytes));
      },
      (cause) => {
        if (settled) return;
        refuse(new PlatformError("CS_VALIDATION_FAILED", "the request ended before its body", { cause }));
      },
    );
  };
}

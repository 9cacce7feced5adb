import type { IncomingMessage } from "node:http";
import { PlatformError } from "@sous/contract";

const EMPTY = Buffer.alloc(0);

/**
 * Reads a request's body whole, counting as it comes in: what the headers claim is not believed.
 * @param bytesMax past it the rest is not read and `fail` gets CS_PAYLOAD_TOO_LARGE
 */
export function readBody(
  request: IncomingMessage,
  bytesMax: number,
  done: (body: Buffer) => void,
  fail: (error: PlatformError) => void,
): void {
  let first: Buffer | undefined;
  let rest: Buffer[] | undefined;
  let bytes = 0;
  let settled = false;
  request.on("data", (chunk: Buffer) => {
    if (settled) return;
    bytes += chunk.length;
    if (bytes > bytesMax) {
      settled = true;
      request.resume();
      fail(new PlatformError("CS_PAYLOAD_TOO_LARGE", `the body holds more than ${bytesMax} bytes`));
    } else if (first === undefined) first = chunk;
    else (rest ??= [first]).push(chunk);
  });
  request.on("end", () => {
    if (settled) return;
    settled = true;
    done(rest === undefined ? (first ?? EMPTY) : Buffer.concat(rest, bytes));
  });
  request.on("error", (error) => {
    if (settled) return;
    settled = true;
    fail(new PlatformError("CS_VALIDATION_FAILED", "the request ended before its body", { cause: error }));
  });
}

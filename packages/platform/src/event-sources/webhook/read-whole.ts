import { PlatformError } from "@sous/contract";
import type { DirectMessage } from "../../http/direct-message.ts";

/**
 * Reads a request's body whole. What comes past the bound is read and dropped, so that the refusal arrives.
 * @throws CS_PAYLOAD_TOO_LARGE, CS_VALIDATION_FAILED when the request ends before its body
 */
export function readWhole(request: DirectMessage, bytesMax: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  let chunks: Buffer[] = [];
  let bytes = 0;
  request.receive(
    (chunk) => {
      if (chunk === null) {
        resolve(Buffer.concat(chunks));
        return;
      }
      bytes += chunk.length;
      if (bytes <= bytesMax) chunks.push(chunk);
      else {
        chunks = [];
        reject(new PlatformError("CS_PAYLOAD_TOO_LARGE", `the body holds more than ${bytesMax} bytes`));
      }
    },
    (cause) =>
      reject(new PlatformError("CS_VALIDATION_FAILED", "the request ended before its body", { cause })),
  );
  return promise;
}

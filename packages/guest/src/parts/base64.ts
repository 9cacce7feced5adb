import type { PartContext } from "../part-context.ts";
import { createDomError } from "./dom-error.ts";

/** The engine's own base64, which the type library does not know yet. */
interface EngineBytes extends Uint8Array<ArrayBuffer> {
  toBase64(): string;
}
interface EngineBytesConstructor {
  fromBase64(text: string): Uint8Array<ArrayBuffer>;
}

/** Arguments one call of a built-in takes safely. */
const CHUNK_UNITS = 8192;

/** @returns bytes of base64 text, white space allowed, padding optional, as `atob` reads it */
export const base64ToBytes = (text: string): Uint8Array<ArrayBuffer> =>
  (Uint8Array as unknown as EngineBytesConstructor).fromBase64(text);

export const bytesToBase64 = (bytes: Uint8Array): string => (bytes as EngineBytes).toBase64();

/** @returns one character for each byte, code units 0–255 */
export function bytesToBinary(bytes: Uint8Array): string {
  let text = "";
  for (let start = 0; start < bytes.length; start += CHUNK_UNITS) {
    text += String.fromCharCode(...bytes.subarray(start, start + CHUNK_UNITS));
  }
  return text;
}

/** @returns a byte for each character; `undefined` where one is above 255 */
export function binaryToBytes(text: string): Uint8Array<ArrayBuffer> | undefined {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit > 0xff) return undefined;
    bytes[index] = unit;
  }
  return bytes;
}

/** The globals `atob` and `btoa` of the HTML standard. */
export function createBase64(context: PartContext): { atob: Function; btoa: Function } {
  const domError = createDomError(context);
  const invalid = (message: string): Error => domError(message, "InvalidCharacterError");
  return {
    atob(text: unknown): string {
      try {
        return bytesToBinary(base64ToBytes(`${text}`));
      } catch {
        throw invalid("The string to be decoded is not correctly encoded.");
      }
    },
    btoa(text: unknown): string {
      const bytes = binaryToBytes(`${text}`);
      if (bytes === undefined) throw invalid("The string holds characters outside of the Latin1 range.");
      return bytesToBase64(bytes);
    },
  };
}

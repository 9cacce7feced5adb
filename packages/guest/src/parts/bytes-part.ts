import { TextDecoder as SmallTextDecoder, TextEncoder } from "@exodus/bytes/encoding-lite.js";
import type { PartContext, PartExports } from "../part-context.ts";
import { createBase64 } from "./base64.ts";

/** Encodings with tables of their own, 360 kB of them: a part that is loaded when one is asked for. */
const MULTIBYTE = new Set(["gbk", "gb18030", "big5", "euc-jp", "iso-2022-jp", "shift_jis", "euc-kr"]);

/** The library's class, in types this code base has. */
interface DecoderClass {
  new (
    label?: string,
    options?: { fatal?: boolean; ignoreBOM?: boolean },
  ): {
    readonly encoding: string;
    readonly fatal: boolean;
    decode(input?: Source, options?: { stream?: boolean }): string;
  };
}
type Source = ArrayBuffer | ArrayBufferView | undefined;
type DecodeBytes = (bytes: Uint8Array, stream: boolean) => string;
type CreateDecoder = (encoding: string, loose: boolean) => DecodeBytes;

/** `TextEncoder`, `TextDecoder`, `atob`, `btoa`. */
export function createPart(context: PartContext): PartExports {
  class TextDecoder extends (SmallTextDecoder as unknown as DecoderClass) {
    #multibyte: DecodeBytes | undefined;

    override decode(input?: Source, options?: { stream?: boolean }): string {
      if (!MULTIBYTE.has(this.encoding)) return super.decode(input, options);
      const create = context.part("encodings")["createMultibyteDecoder"] as CreateDecoder;
      this.#multibyte ??= create(this.encoding, !this.fatal);
      return this.#multibyte(viewOf(input), options?.stream === true);
    }
  }
  return { TextEncoder, TextDecoder, ...createBase64(context) };
}

function viewOf(input: Source): Uint8Array {
  if (input === undefined) return new Uint8Array();
  if (ArrayBuffer.isView(input)) return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  return new Uint8Array(input);
}

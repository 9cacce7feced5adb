import { createMultibyteDecoder } from "@exodus/bytes/multi-byte.js";
import type { PartExports } from "../part-context.ts";

/** Decoders of the legacy encodings that need tables: Chinese, Japanese, Korean. */
export const createPart = (): PartExports => ({ createMultibyteDecoder });

import {
  ByteLengthQueuingStrategy,
  CountQueuingStrategy,
  ReadableStream,
  TransformStream,
  WritableStream,
} from "web-streams-polyfill";
import type { PartExports } from "../part-context.ts";

/** The streams of the WHATWG, all in JavaScript. */
export const createPart = (): PartExports => ({
  ByteLengthQueuingStrategy,
  CountQueuingStrategy,
  ReadableStream,
  TransformStream,
  WritableStream,
});

import { define, defineProperty, deleteProperty, NativeError } from "./primordials.ts";

const REMOVED = [
  "WebAssembly",
  "SharedArrayBuffer",
  "Atomics",
  "FinalizationRegistry",
  "console",
  "escape",
  "unescape",
] as const;

/** Frames kept of each stack; users may change it, the text that leaves the guest is bounded by itself. */
const STACK_FRAMES = 20;

/**
 * Takes away what an isolate cannot bound (memory outside the heap limit, blocking waits, callbacks at times
 * of the collector's choosing) and the hook V8 would call on every stack.
 */
export function sealGlobals(): void {
  for (let index = 0; index < REMOVED.length; index++) deleteProperty(globalThis, REMOVED[index] as string);
  // An accessor whose setter does nothing: libraries that assign the hook go on, and V8 still finds none.
  defineProperty(NativeError, "prepareStackTrace", {
    __proto__: null,
    get: () => undefined,
    set: () => undefined,
    enumerable: false,
    configurable: false,
  } as PropertyDescriptor);
  define(NativeError, "stackTraceLimit", STACK_FRAMES);
}

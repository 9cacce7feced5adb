import type { GuestHost } from "../abi.ts";
import { define, defineProperty, freeze, NativeError, objectKeys, type Table } from "./primordials.ts";

import type { PartContext, PartExports } from "../part-context.ts";

/** The name under which a part, once the host runs it, hands over its factory. */
const PART_GLOBAL = "__sous_part__";

/** @param scope stands for `globalThis` in the libraries of the part: they look for a platform that is not there */
type PartFactory = (context: PartContext, scope: object) => PartExports;

/** The way to the parts of the web platform. */
export interface Parts {
  /** @returns what the part gives, loaded when needed */
  part(name: string): PartExports;
  /** @returns what the part gives if something has loaded it */
  loadedPart(name: string): PartExports | undefined;
}

/**
 * Loads parts of the web platform on first use. The host runs the part's script inside the callback; all the
 * script does is hand its factory to the core, so that the part's own code runs in the slice that asked for
 * it, under that slice's timeout.
 */
export function createParts(host: GuestHost, context: () => PartContext): Parts {
  const loaded = { __proto__: null } as unknown as Table<PartExports>;
  const loading = { __proto__: null } as unknown as Table<boolean>;
  const scope = freeze({ __proto__: null });
  let factory: PartFactory | undefined;
  define(
    globalThis,
    PART_GLOBAL,
    (given: PartFactory): void => {
      factory = given;
    },
    { writable: false, enumerable: false },
  );
  const part = (name: string): PartExports => {
    const known = loaded[name];
    if (known !== undefined) return known;
    // A part that reads its own globals while it is made finds nothing, as on a platform without them.
    if (loading[name] === true) return scope as PartExports;
    factory = undefined;
    host.load(name);
    const make = factory as PartFactory | undefined;
    if (make === undefined) throw new NativeError(`the runtime has no part "${name}"`);
    loading[name] = true;
    try {
      return (loaded[name] = make(context(), scope));
    } finally {
      loading[name] = false;
    }
  };
  return { part, loadedPart: (name) => loaded[name] };
}

/** Which part each lazy global comes from. */
const LAZY_GLOBALS = {
  AbortController: "events",
  AbortSignal: "events",
  CustomEvent: "events",
  DOMException: "events",
  Event: "events",
  EventTarget: "events",
  TextDecoder: "bytes",
  TextEncoder: "bytes",
  atob: "bytes",
  btoa: "bytes",
  URL: "url",
  URLSearchParams: "url",
  structuredClone: "clone",
  crypto: "crypto",
  Blob: "fetch",
  Headers: "fetch",
  Request: "fetch",
  Response: "fetch",
  fetch: "fetch",
  ByteLengthQueuingStrategy: "streams",
  CountQueuingStrategy: "streams",
  ReadableStream: "streams",
  TransformStream: "streams",
  WritableStream: "streams",
} as const;

/**
 * Defines the lazy globals: accessors that turn into plain properties when first read or assigned.
 */
export function defineLazyGlobals(part: (name: string) => PartExports): void {
  const names = objectKeys(LAZY_GLOBALS);
  for (let index = 0; index < names.length; index++) {
    const name = names[index] as keyof typeof LAZY_GLOBALS;
    const settle = (value: unknown): void => define(globalThis, name, value, HIDDEN);
    defineProperty(globalThis, name, {
      __proto__: null,
      get() {
        const value = part(LAZY_GLOBALS[name])[name];
        if (value !== undefined) settle(value);
        return value;
      },
      set: settle,
      enumerable: false,
      configurable: true,
    } as PropertyDescriptor);
  }
}

const HIDDEN = { writable: true, enumerable: false };

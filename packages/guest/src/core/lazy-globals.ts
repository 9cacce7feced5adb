import type { GuestHost } from "../abi.ts";
import { define, defineProperty, NativeError, objectKeys, type Table } from "./primordials.ts";

/** The name under which a part, once the host runs it, hands over its factory. */
export const PART_GLOBAL = "__sous_part__";

/** What a part gives: its globals by name, and things other parts use under names that are no globals. */
export type PartExports = Readonly<Record<string, unknown>>;

/** What the core gives a part. */
export interface PartContext {
  /** The host's clock: milliseconds since the activation started. */
  now(): number;
  /** Random bytes, one character each. */
  random(byteLength: number): string;
  /** Exports of another part, loaded when needed. */
  part(name: string): PartExports;
  /** `cs.http.fetch` as it was at boot. */
  httpFetch(url: string, options: object): Promise<unknown>;
  setTimeout(callback: () => void, delayMs: number): number;
  clearTimeout(timerId: number): void;
  /** Reports what an event listener threw. */
  crash(thrown: unknown): void;
}

type PartFactory = (context: PartContext) => PartExports;

/**
 * Loads parts of the web platform on first use. The host runs the part's script inside the callback; all the
 * script does is hand its factory to the core, so that the part's own code runs in the slice that asked for
 * it, under that slice's timeout.
 */
export function createParts(host: GuestHost, context: () => PartContext): (name: string) => PartExports {
  const loaded = { __proto__: null } as unknown as Table<PartExports>;
  let factory: PartFactory | undefined;
  define(
    globalThis,
    PART_GLOBAL,
    (given: PartFactory): void => {
      factory = given;
    },
    { writable: false, enumerable: false },
  );
  return (name) => {
    const known = loaded[name];
    if (known !== undefined) return known;
    factory = undefined;
    host.load(name);
    const made = factory as PartFactory | undefined;
    if (made === undefined) throw new NativeError(`the runtime has no part "${name}"`);
    factory = undefined;
    return (loaded[name] = made(context()));
  };
}

/** Which part each lazy global comes from. */
export const LAZY_GLOBALS = {} as const;

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
        settle(value);
        return value;
      },
      set: settle,
      enumerable: false,
      configurable: true,
    } as PropertyDescriptor);
  }
}

const HIDDEN = { writable: true, enumerable: false };

import type { PartContext, PartExports } from "../part-context.ts";
import { createDomError, type DomError } from "./dom-error.ts";

/** `structuredClone`. */
export function createPart(context: PartContext): PartExports {
  const domError = createDomError(context);
  return {
    structuredClone(...items: [value?: unknown, options?: { transfer?: Iterable<unknown> }]): unknown {
      if (items.length === 0) throw new TypeError("structuredClone needs a value");
      const transfer = [...(items[1]?.transfer ?? [])];
      for (const item of transfer) {
        if (!(item instanceof ArrayBuffer) || item.detached) {
          throw domError("A value of the transfer list cannot be transferred.", "DataCloneError");
        }
      }
      const seen = new Map<object, unknown>();
      const clone = cloneValue(items[0], seen, domError, new Set(transfer as ArrayBuffer[]));
      // What was listed but not met is given away all the same.
      for (const buffer of transfer as ArrayBuffer[]) if (!buffer.detached) buffer.transfer();
      return clone;
    },
  };
}

type Seen = Map<object, unknown>;
type Transfer = Set<ArrayBuffer>;

const ERRORS: Readonly<Record<string, ErrorConstructor>> = {
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

function cloneValue(value: unknown, seen: Seen, domError: DomError, transfer: Transfer): unknown {
  if (typeof value === "symbol" || typeof value === "function") throw refused(domError, value);
  if (typeof value !== "object" || value === null) return value;
  const known = seen.get(value);
  if (known !== undefined) return known;
  const again = (inner: unknown): unknown => cloneValue(inner, seen, domError, transfer);
  const keep = <Value>(clone: Value): Value => {
    seen.set(value, clone);
    return clone;
  };
  const className = classOf(value);
  switch (className) {
    case "Boolean":
    case "Number":
    case "String":
    case "BigInt":
      return keep(Object((value as { valueOf(): unknown }).valueOf()));
    case "Date":
      return keep(new Date((value as Date).getTime()));
    case "RegExp":
      return keep(new RegExp((value as RegExp).source, (value as RegExp).flags));
    case "Map": {
      const map = keep(new Map<unknown, unknown>());
      const entries = [...(value as Map<unknown, unknown>)];
      for (const [key, item] of entries) map.set(again(key), again(item));
      return map;
    }
    case "Set": {
      const set = keep(new Set<unknown>());
      const items = [...(value as Set<unknown>)];
      for (const item of items) set.add(again(item));
      return set;
    }
    case "Error":
      return cloneError(value as Error, keep, again);
    case "ArrayBuffer": {
      const buffer = value as ArrayBuffer;
      if (buffer.detached) throw domError("A detached ArrayBuffer cannot be cloned.", "DataCloneError");
      return keep(transfer.has(buffer) ? buffer.transfer() : buffer.slice(0));
    }
  }
  if (ArrayBuffer.isView(value)) return keep(cloneView(value, again));
  if (className !== "Object") throw refused(domError, value);
  const clone = keep(Array.isArray(value) ? emptyArray(value.length) : {});
  for (const key of Object.keys(value)) {
    const item = again((value as Record<string, unknown>)[key]);
    Object.defineProperty(clone, key, { value: item, writable: true, enumerable: true, configurable: true });
  }
  return clone;
}

/** Holes stay holes: the length is set, the items are not. */
function emptyArray(length: number): unknown[] {
  const array: unknown[] = [];
  array.length = length;
  return array;
}

/** What kind of object it is by its internal slots; instances of a user's classes count as plain objects. */
function classOf(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null || Array.isArray(value)) return "Object";
  if ((Error as unknown as { isError(value: unknown): boolean }).isError(value)) return "Error";
  if (ArrayBuffer.isView(value)) return "View";
  for (const [name, probe] of PROBES) {
    try {
      probe(value);
      return name;
    } catch {
      // Not of this kind.
    }
  }
  return REFUSED.some((kind) => value instanceof kind) ? "refused" : "Object";
}

/** Methods that throw for every object without the slot they need. */
const PROBES: readonly [string, (value: object) => unknown][] = [
  ["Date", (value) => Date.prototype.getTime.call(value as Date)],
  ["Map", (value) => Map.prototype.has.call(value as Map<unknown, unknown>, 0)],
  ["Set", (value) => Set.prototype.has.call(value as Set<unknown>, 0)],
  ["ArrayBuffer", (value) => ArrayBuffer.prototype.slice.call(value as ArrayBuffer, 0, 0)],
  ["RegExp", (value) => sourceOf?.call(value)],
  ["Boolean", (value) => Boolean.prototype.valueOf.call(value)],
  ["Number", (value) => Number.prototype.valueOf.call(value)],
  ["String", (value) => String.prototype.valueOf.call(value)],
  ["BigInt", (value) => BigInt.prototype.valueOf.call(value)],
];
const sourceOf = Object.getOwnPropertyDescriptor(RegExp.prototype, "source")?.get;
const REFUSED = [Promise, WeakMap, WeakSet, WeakRef];

function cloneError(error: Error, keep: <V>(clone: V) => V, again: (inner: unknown) => unknown): Error {
  const Constructor = ERRORS[`${error.name}`] ?? Error;
  const own = (key: string): PropertyDescriptor | undefined => Object.getOwnPropertyDescriptor(error, key);
  const message = own("message");
  const clone = keep(message === undefined ? new Constructor() : new Constructor(`${message.value}`));
  if (typeof error.stack === "string") {
    Object.defineProperty(clone, "stack", { value: error.stack, writable: true, configurable: true });
  }
  const cause = own("cause");
  if (cause !== undefined) {
    const value = again(cause.value);
    Object.defineProperty(clone, "cause", { value, writable: true, configurable: true });
  }
  return clone;
}

function cloneView(view: ArrayBufferView, again: (inner: unknown) => unknown): ArrayBufferView {
  const { byteOffset, byteLength } = view;
  const buffer = again(view.buffer) as ArrayBuffer;
  if (view instanceof DataView) return new DataView(buffer, byteOffset, byteLength);
  const typed = view as Uint8Array;
  const Constructor = Object.getPrototypeOf(typed).constructor as typeof Uint8Array;
  return new Constructor(buffer, byteOffset, byteLength / typed.BYTES_PER_ELEMENT);
}

function refused(domError: DomError, value: unknown): Error {
  const shown = typeof value === "symbol" ? value.toString() : typeof value;
  return domError(`A value of type ${shown} could not be cloned.`, "DataCloneError");
}

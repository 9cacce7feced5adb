/**
 * The built-ins the bootstrap works with, taken before any code of a user runs. Whatever a function does to
 * `JSON`, `Promise` or `Object.prototype` afterwards, these stay what they were.
 *
 * Code of the core keeps to a few habits, because syntax can reach tampered built-ins too: no iteration over
 * arrays with `for…of`, spread or array patterns, no `push`, no `then` (only `await`, which reads nothing but
 * `constructor`), no index assignment on arrays, null prototypes for every table and property descriptor.
 */

type Uncurried = <This, Args extends unknown[], Result>(
  method: (this: This, ...args: Args) => Result,
) => (self: This, ...args: Args) => Result;

/** Turns a method into a function that takes its `this` first. */
export const uncurry = Function.prototype.bind.bind(Function.prototype.call) as Uncurried;

export const { apply, defineProperty, deleteProperty, getPrototypeOf, ownKeys } = Reflect;
export const { freeze, keys: objectKeys, is: sameValue, getOwnPropertyDescriptor } = Object;
export const hasOwn = uncurry(Object.prototype.hasOwnProperty) as (self: object, key: PropertyKey) => boolean;
export const { parse: parseJson, stringify } = JSON;
export const quote = stringify as (text: string) => string;
export const isArray = Array.isArray as (value: unknown) => value is unknown[];
export const { isInteger, isFinite } = Number;
export const { min, max, trunc } = Math;
export const dateNow = Date.now;
export const toText = String;
export const toNumber = Number;

export const { asyncIterator, iterator } = Symbol;

export const NativePromise = Promise;
export const NativeError = Error;
export const isError = (Error as unknown as { isError(value: unknown): value is Error }).isError;
export const ObjectPrototype = Object.prototype;
export const NativeTypeError = TypeError;
export const NativeRangeError = RangeError;

const text = String.prototype;
export const slice = uncurry(text.slice);
export const charCodeAt = uncurry(text.charCodeAt);
export const indexOf = uncurry(text.indexOf as (needle: string, from?: number) => number);
export const includes = uncurry(text.includes);
export const repeat = uncurry(text.repeat);
export const padEnd = uncurry(text.padEnd);
export const toFixed = uncurry(Number.prototype.toFixed);

const getterOf = (holder: object, key: PropertyKey) =>
  uncurry(getOwnPropertyDescriptor(holder, key)?.get as (this: unknown) => unknown);

export const dateToIso = uncurry(Date.prototype.toISOString);
export const regexpToText = uncurry(RegExp.prototype.toString);
export const symbolToText = uncurry(Symbol.prototype.toString);
export const functionToText = uncurry(Function.prototype.toString);
export const mapSize = getterOf(Map.prototype, "size") as (self: unknown) => number;
export const setSize = getterOf(Set.prototype, "size") as (self: unknown) => number;
export const mapForEach = uncurry(Map.prototype.forEach);
export const setForEach = uncurry(Set.prototype.forEach);

const typedArray = getPrototypeOf(Uint8Array.prototype) as object;
export const typedArrayName = getterOf(typedArray, Symbol.toStringTag) as (
  self: unknown,
) => string | undefined;
export const typedArrayLength = getterOf(typedArray, "length") as (self: unknown) => number;
export const bufferByteLength = getterOf(ArrayBuffer.prototype, "byteLength") as (self: unknown) => number;

export const NativeUint8Array = Uint8Array;
export const bytesToBase64 = uncurry(
  (Uint8Array.prototype as unknown as { toBase64(this: Uint8Array): string }).toBase64,
);
export const isArrayBuffer = (value: unknown): value is ArrayBuffer => {
  try {
    bufferByteLength(value);
    return true;
  } catch {
    return false;
  }
};

/** An object without a prototype, for tables and property descriptors. */
export type Table<Value> = { [key: string | number]: Value };

/** Defines a plain data property; nothing a user does to `Object.prototype` changes what it means. */
export function define(
  holder: object,
  key: PropertyKey,
  value: unknown,
  flags = { writable: true, enumerable: true },
): void {
  const descriptor = {
    __proto__: null,
    value,
    writable: flags.writable,
    enumerable: flags.enumerable,
    configurable: flags.writable,
  };
  defineProperty(holder, key, descriptor);
}
